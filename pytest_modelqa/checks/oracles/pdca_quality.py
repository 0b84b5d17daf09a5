"""PDCA quality: a PDCA whose sections say something, with a decision, deeds, proof and lessons."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from pytest_modelqa.checks.oracles import documents, pdca_schema
from pytest_modelqa.checks.oracles.documents import Block, Document, Link, Section
from pytest_modelqa.checks.oracles.markdown_sections import (
    concluded,
    labelled,
    section_of,
    unsettled,
    without,
)
from pytest_modelqa.checks.oracles.pdca_schema import LINKS, SECTIONS
from pytest_modelqa.checks.oracles.statements import is_action, is_lesson, is_proof, statements
from pytest_modelqa.checks.oracles.text import judged_text
from pytest_modelqa.checks.oracles.tron import Tron
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict

_DUMMY = re.compile(
    r"(?:url|uri|link|path|file|filename|target|todo|tbd|none|n/?a|null|placeholder|example|"
    r"path/to/.*|your-.*|\.{2,}|#.*|(?:https?://)?(?:www\.)?example\.(?:com|org).*)",
    re.IGNORECASE,
)
"""Targets that lead nowhere."""
MAX_TARGET = 500
"""Characters; a longer target is no path that anybody wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PdcaQuality:
    """A PDCA by pdca_schema with substance; every rule is lexical, none asks a model.

    - no section is a placeholder, repeats another, or has a gap to fill in; each holds at least
      `min_words` different words;
    - the Plan has a decision by the rules of tron;
    - Do names at least `min_actions` different concrete actions: a verb that says what was done
      and at least two words that say to what ("Worked on it" is none);
    - Check has at least `min_proofs` verifications: a ticked box, or what was tested, measured,
      compared, observed;
    - Act has at least one lesson or improvement;
    - both links are Markdown links with a text and a target that is a path or an address, and they
      lead to different documents.
    - each of `about` is named in the document, as a whole word.
    A completion that was cut off is inconclusive.
    """

    name: ClassVar[str] = "pdca_quality"

    min_words: Annotated[int, Ge(1)] = 5
    min_actions: Annotated[int, Ge(1)] = 2
    min_proofs: Annotated[int, Ge(1)] = 1
    about: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("min_words", "min_actions", "min_proofs"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field}: at least 1, or nothing would be asked")
        if not all(word.strip() for word in self.about):
            raise ValueError("about: an empty word is in every document")

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt may be answered by a PDCA."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where all rules hold; else every problem is named."""
        if bad := unsettled(answer):
            return bad
        found = list(self.problems(documents.read(judged_text(answer))))
        return concluded(found, "PDCA of substance", len(SECTIONS) + len(LINKS) + 4)

    def problems(self, document: Document) -> Iterator[str]:
        """What the document lacks, in words. What is no PDCA is not looked at further."""
        missing = list(pdca_schema.problems(document))
        if missing:
            yield from missing
            return
        content = without(document, LINKS)
        yield from self._substance(content.sections(SECTIONS))
        yield from (f"Plan: {problem}" for problem in Tron().problems(content))
        yield from self._deeds(content)
        yield from _link_problems(document)
        text = "\n".join(block.text for block in document.blocks)
        for word in self.about:
            if not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE):
                yield f"{word} is not mentioned"

    def _substance(self, sections: Sequence[Section]) -> Iterator[str]:
        said: dict[str, str] = {}
        for section in sections:
            if section.words < self.min_words:
                yield f"{section.name} holds {section.words} words, of {self.min_words} at least"
            text = " ".join(b.text for b in section.blocks)
            if gap := documents.gap_in(text):
                yield f"{section.name} has a gap to fill in: {gap}"
            other = said.setdefault(" ".join(documents.split(text)), section.name)
            if other != section.name:
                yield f"{section.name} repeats {other}"

    def _deeds(self, document: Document) -> Iterator[str]:
        actions = {" ".join(documents.split(s)) for s in _said(document, "Do") if is_action(s)}
        if len(actions) < self.min_actions:
            yield f"Do names {len(actions)} concrete actions, of {self.min_actions} at least"
        check = section_of(document, "Check")
        proofs = sum(_proofs(block) for block in check.blocks) if check else 0
        if proofs < self.min_proofs:
            yield f"Check names {proofs} verifications, of {self.min_proofs} at least"
        if not any(is_lesson(said) for said in _said(document, "Act")):
            yield "Act names neither a lesson nor an improvement"


def _said(document: Document, name: str) -> list[str]:
    section = section_of(document, name)
    return [s for block in section.blocks for s in statements(block)] if section else []


def _proofs(block: Block) -> int:
    """Verifications in a block. An open box says that nobody has looked yet."""
    if block.ticked is False:
        return 0
    return sum(is_proof(said, ticked=bool(block.ticked)) for said in statements(block))


def _link_problems(document: Document) -> Iterator[str]:
    targets: dict[str, str] = {}
    for label in LINKS:
        for link in (link for links in labelled(document, label) for link in links):
            if problem := _malformed(link):
                yield f"{label} {problem}"
            elif targets.setdefault(link.target, label) != label:
                yield f"{label} and {targets[link.target]} lead to the same document"


def _malformed(link: Link) -> str:
    target = link.target.strip()
    if not link.text or documents.is_placeholder(link.text):
        return "is no Markdown link with a text"
    if len(target) > MAX_TARGET:
        return f"has a target of {len(target)} characters"
    if _DUMMY.fullmatch(target):
        return f"leads nowhere: {target}"
    if not re.fullmatch(r"(?:https?://[^/\s]+)?[^\s?#:]*[^\s?#:/.][^\s?#:]*(?:[?#]\S*)?", target):
        return f"is neither a path nor an address: {target}"
    return ""
