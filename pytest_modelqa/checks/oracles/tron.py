"""TRON: a decision as Trigger, Response, Outcome and Next, complete and in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Ge

from pytest_modelqa.checks.oracles import documents
from pytest_modelqa.checks.oracles.documents import Block, Document
from pytest_modelqa.checks.oracles.markdown_sections import concluded, section_of, unsettled
from pytest_modelqa.checks.oracles.text import judged_text
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict

PARTS = ("trigger", "response", "outcome", "next")
_LABEL = re.compile(
    r"(?:^\W*|(?<=[.;!?|\u2192])\s+)(Trigger|Response|Outcome|Next)\s*(?::|\||\u2192|->|\s[\u2013\u2014-]\s)",
    re.IGNORECASE,
)
"""A label begins a line, or follows the end of a sentence; "the outcome: good" holds none."""


class Part(NamedTuple):
    """A part of a decision: its name in lower case, and what it says."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tron:
    """The parts Trigger, Response, Outcome, Next in this order, each with text of its own.

    They are looked for in the section Plan where the completion has one, else in all of it. A part
    begins with its name and a colon at the start of a line or sentence, or is a heading or a row of
    a table; several decisions may follow each other, each complete. `min_words` is how many
    different words a part holds at least; placeholders are none, and no two parts of a decision may
    say the same. A completion that was cut off is inconclusive.
    """

    name: ClassVar[str] = "tron"

    min_words: Annotated[int, Ge(1)] = 2

    def __post_init__(self) -> None:
        if self.min_words < 1:
            raise ValueError("min_words: at least 1, or an empty part would pass")

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt may be answered by a decision."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where each decision is complete; else every problem is named."""
        if bad := unsettled(answer):
            return bad
        problems = list(self.problems(documents.read(judged_text(answer))))
        return concluded(problems, "TRON", len(PARTS))

    def problems(self, document: Document) -> Iterator[str]:
        """What is wrong with the decisions of a document, in words."""
        plan = section_of(document, "Plan")
        parts = parts_of(plan.blocks if plan else document.blocks)
        yield from _order([part.name for part in parts])
        for part in parts:
            count = (
                0 if documents.is_placeholder(part.text) else len(set(documents.split(part.text)))
            )
            if count < self.min_words:
                yield f"{part.name} holds {count} words, of {self.min_words} at least"
            elif gap := documents.gap_in(part.text):
                yield f"{part.name} has a gap to fill in: {gap}"
        for at in range(0, len(parts), len(PARTS)):
            texts = [" ".join(documents.split(p.text)) for p in parts[at : at + len(PARTS)]]
            if len(set(texts)) != len(texts):
                yield "two parts say the same"


def parts_of(blocks: Sequence[Block]) -> list[Part]:
    """The labelled parts in order, each with all text up to the next label or heading."""
    parts: list[Part] = []
    open_part = False
    for block in blocks:
        if block.kind == "heading":
            open_part = documents.named(block.text) in PARTS
            if open_part:
                parts.append(Part(documents.named(block.text), ""))
            continue
        if block.kind in ("code", "quote"):
            continue
        for line in block.lines:
            before, *labelled = _split(line.text)
            if before.text and open_part:
                parts[-1] = Part(parts[-1].name, f"{parts[-1].text} {before.text}".strip())
            parts += labelled
            open_part = open_part or bool(labelled)
    return parts


def _split(text: str) -> list[Part]:
    """A line as the text before its first label, and the parts that begin in it."""
    found = list(_LABEL.finditer(text))
    ends = [*(m.start() for m in found), len(text)]
    parts = [Part("", text[: ends[0]].strip(" |"))]
    for match, end in zip(found, ends[1:], strict=True):
        parts.append(Part(match[1].casefold(), text[match.end() : end].strip(" |")))
    return parts


def _order(found: Sequence[str]) -> Iterator[str]:
    missing = [name for name in PARTS if name not in found]
    if missing:
        yield f"no {', '.join(missing)}"
    elif list(found) != list(PARTS) * (len(found) // len(PARTS)):
        yield f"the parts are in the order {', '.join(found)}"
