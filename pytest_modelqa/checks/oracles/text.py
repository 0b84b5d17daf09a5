"""What every oracle asks first, and how a completion is quoted."""

from __future__ import annotations

from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, falsified

MAX_JUDGED_CHARS = 100_000
"""Completions are judged up to here: bounds the time of every pattern and parser."""
QUOTED_CHARS = 80
"""Longest quotation in a reason."""


def unjudgeable(answer: Generation) -> Verdict | None:
    """Falsified where there is no sound text to judge: NaN or Inf in the logits, or no text."""
    if answer.nonfinite_steps:
        made = len(answer.ids)
        return falsified(f"the logits held NaN or Inf after {made} generated tokens")
    if not answer.text.strip():
        special = f", {answer.special_ids} of them special" if answer.special_ids else ""
        return falsified(f"no text came back ({len(answer.ids)} tokens{special})")
    return None


def judged_text(answer: Generation) -> str:
    """The decoded completion, bounded."""
    return answer.text[:MAX_JUDGED_CHARS]


def quoted(text: str) -> str:
    """The beginning of a text, printable, on one line."""
    return repr(text if len(text) <= QUOTED_CHARS else text[: QUOTED_CHARS - 1] + "…")
