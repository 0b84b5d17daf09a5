"""Names that the parent, the run and its workers agree on."""

from __future__ import annotations

BLOWS = "MODELQA_CHAOS_BLOWS"
"""Variable: which words in a prompt are struck by what, as JSON."""

MEETING = "MODELQA_CHAOS_MEETING"
"""Variable: the folder where a struck worker says that it is there, and waits."""

MARK = "MODELQA_CHAOS_MARK"
"""Variable: tells the processes of one run from all others; they inherit it."""

CLOCK = "MODELQA_CHAOS_CLOCK"
"""Variable: a file that holds by how many seconds the wall clock is wrong."""


AT = "MODELQA_CHAOS_PASS"
"""Variable: before which pass of the model a blow falls; the first one takes the prompt."""

HERE, GO = "here", "go"
"""Files of the meeting: a worker is there (its process id), and may go on."""
