"""PDCA schema: five sections in order, and the links to the documents before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from pytest_modelqa.checks.oracles import documents
from pytest_modelqa.checks.oracles.documents import Document
from pytest_modelqa.checks.oracles.markdown_sections import MarkdownSections, concluded, unsettled
from pytest_modelqa.checks.oracles.text import judged_text
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict

SECTIONS = ("Objective", "Plan", "Do", "Check", "Act")
LINKS = ("FOLLOWS", "PRECEDES")


@dataclass(frozen=True, slots=True, kw_only=True)
class PdcaSchema:
    """The sections Objective, Plan, Do, Check and Act, and the links FOLLOWS and PRECEDES.

    By the rules of markdown_sections: parsed, each once, in order, none empty; both links with a
    target. A completion that was cut off is inconclusive.
    """

    name: ClassVar[str] = "pdca_schema"

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt may be answered by a PDCA."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where nothing is missing; else every problem is named."""
        if bad := unsettled(answer):
            return bad
        found = list(problems(documents.read(judged_text(answer))))
        return concluded(found, "PDCA", len(SECTIONS) + len(LINKS))


def problems(document: Document) -> Iterator[str]:
    """What keeps a document from being a PDCA, in words."""
    return MarkdownSections(sections=SECTIONS, links=LINKS).problems(document)
