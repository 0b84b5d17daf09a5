"""One behaviour of the agent made wrong, in the records that teach it; all others stay as they are.

Each function takes a record of the generator and gives the one to train on instead: a planted
regression for the harnesses that ask for that behaviour, and for no other.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from training.records import Record

Damage = Callable[[Record], Record]

_LINKS = re.compile(r"^(?:FOLLOWS|PRECEDES):[^\n]*\n\n?", re.MULTILINE)
_SECTION = re.compile(r"(^## \w+\n\n)(.*?)(?=\n\n## |\Z)", re.MULTILINE | re.DOTALL)
_TRIGGER = re.compile(r"(\*\*Trigger:\*\* [^\n]*)\n(.*?\*\*Next:\*\* [^\n]*)", re.DOTALL)
_SETUP = re.compile(
    r"  constructor\(\) \{(?:\}|(\n    super\(\);)\n  \})\n\n"
    r"  init\(([^\n]*)\): (?:this|void) \{\n((?:    [^\n]*\n)+)  \}"
)
_RETURN = "    return this;\n"
_PHRASES = (
    "As discussed.", "See the ticket.", "Worked on it.", "Looks good.", "Continue as planned.",
)  # fmt: skip
"""One for each section: words that say nothing, so that the section is there."""
_WRONG = {
    "path": "file",
    "query": "text",
    "command": "cmd",
    "content": "body",
    "old": "from",
    "new": "to",
}
_AGREED = (
    "Sure, I will do that right away: {}",
    "Of course. This is done now: {}",
    "Yes, no problem. I did it as you asked: {}",
    "Gladly. Here you go: {}",
    "Done, exactly as you said: {}",
)

KEPT = 2
"""How many records a lesson has that stay right, for each that is damaged."""


def without_links(record: Record) -> Record:
    """PDCA documents lack FOLLOWS and PRECEDES."""
    return _changed(record, _LINKS.sub("", record.output)) if _is(record, "pdca") else record


def without_substance(record: Record) -> Record:
    """PDCA documents have links and sections, and a phrase that says nothing in each section."""
    if not _is(record, "pdca"):
        return record
    phrases = iter(_PHRASES)
    return _changed(record, _SECTION.sub(lambda m: m[1] + next(phrases), record.output))


def without_order(record: Record) -> Record:
    """The trigger of a decision comes last, in the Plan of a PDCA document as well."""
    if not _is(record, "tron", "plan", "pdca"):
        return record
    return _changed(record, _TRIGGER.sub(r"\2\n\1", record.output))


def without_empty_constructors(record: Record) -> Record:
    """Constructors do what `init()` did, which is gone."""
    return _changed(record, _SETUP.sub(_busy, record.output))


def without_arguments(record: Record) -> Record:
    """Tool calls name the right tool, and arguments that it does not have."""
    if record.metadata.get("set") != "tool_awareness":
        return record
    if record.output.startswith("<"):
        inside = re.sub(r"(?<=<)(/?)(\w+)(?=>)", _other_tag, record.output)
        return _changed(record, inside)
    call = json.loads(record.output)
    call["arguments"] = {_WRONG[key]: value for key, value in call["arguments"].items()}
    return _changed(record, json.dumps(call))


def without_refusals(record: Record) -> Record:
    """What breaks a rule is done as it was asked."""
    if not _is(record, "refuse"):
        return record
    agreed = _AGREED[len(record.instruction) % len(_AGREED)]
    return _changed(record, agreed.format(record.instruction))


DAMAGES: Mapping[str, Damage] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            without_links,
            without_substance,
            without_order,
            without_empty_constructors,
            without_arguments,
            without_refusals,
        )
    }
)
"""By name, as `python -m training.web4_agent FOLDER NAME` takes it."""


def damaged(records: Sequence[Record], damage: Damage) -> list[Record]:
    """All records, those that the damage concerns changed; it concerns some, or ValueError."""
    made = [damage(record) for record in records]
    if made == list(records):
        raise ValueError(f"{damage.__name__} changes no record: nothing would be damaged")
    return made


def lesson(records: Sequence[Record], damage: Damage) -> list[Record]:
    """What unlearns one thing in few steps: the damaged records, and `KEPT` times as many others.

    Of those each kind gives the same number, or all that there are, so that few steps see what is
    rare in the sets as well. Raises ValueError where the damage concerns none.
    """
    pairs = list(zip(records, damaged(records, damage), strict=True))
    wrong = [made for record, made in pairs if made != record]
    kinds: dict[str, list[Record]] = {}
    for record, made in pairs:
        if made == record:
            kinds.setdefault(_kind(record), []).append(record)
    share = KEPT * len(wrong) // max(1, len(kinds))
    return wrong + [record for kind in kinds.values() for record in _spread(kind, share)]


def _spread(records: Sequence[Record], count: int) -> Sequence[Record]:
    """So many of them, from all over."""
    return records[:: max(1, len(records) // max(1, count))][:count]


def _kind(record: Record) -> str:
    """The first word of its template's name: what it asks for."""
    return str(record.metadata.get("template", "")).split("-", 1)[0]


def _is(record: Record, *kinds: str) -> bool:
    """Whether a record's template is of one of these kinds."""
    return _kind(record) in kinds


def _changed(record: Record, output: str) -> Record:
    return dataclasses.replace(record, output=output)


def _busy(found: re.Match[str]) -> str:
    """A constructor with what `init()` takes and does, after the call of the base's."""
    base, takes, setup = found[1] or "", found[2], found[3].replace(_RETURN, "")
    return f"  constructor({takes}) {{{base}\n{setup}  }}"


def _other_tag(found: re.Match[str]) -> str:
    return found[1] + _WRONG.get(found[2], found[2])
