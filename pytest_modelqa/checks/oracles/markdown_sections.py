"""Markdown sections: the completion is a document with these sections, and these links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from annotated_types import Ge, MinLen

from pytest_modelqa.checks.oracles import documents
from pytest_modelqa.checks.oracles.documents import Document, Line, Link, Section
from pytest_modelqa.checks.oracles.text import judged_text, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

_PATH = re.compile(r"(?:https?://|\.{0,2}/)?[\w@%.~-]+(?:/[\w@%.~-]+)*\.\w{1,8}(?:#[\w-]+)?")
"""A bare path or address: it ends in a file or has one of a known form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkdownSections:
    """Each of `sections` is a heading once, in this order, with text below it.

    The text is parsed as CommonMark: a heading inside of a code block or a quotation is none. Names
    are compared without case, number, symbols and a colon; all must have one level, and others may
    stand between them. `ordered: false` allows any order. `min_words` is how many different words
    each section holds at least; placeholders (`TBD`, `...`) are no words. Each of `links` begins a
    line, is written in exactly this case and followed by a colon, an arrow or a table's bar, and
    then by a link with a target. A completion that was cut off is inconclusive. A document that
    stands in one ```markdown fence is read as if the fence were not there.
    """

    name: ClassVar[str] = "markdown_sections"

    sections: Annotated[tuple[str, ...], MinLen(1)]
    ordered: bool = True
    min_words: Annotated[int, Ge(1)] = 1
    links: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [documents.named(name) for name in self.sections]
        if not names or not all(names):
            raise ValueError("sections: at least one, each with a letter in its name")
        if len(set(names)) != len(names):
            raise ValueError("sections: two of them are the same name")
        if self.min_words < 1:
            raise ValueError("min_words: at least 1, or an empty section would pass")
        if not all(label.strip() for label in self.links):
            raise ValueError("links: an empty label begins every line")

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt may be answered by a document."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where nothing is missing; else every problem is named."""
        if bad := unsettled(answer):
            return bad
        problems = list(self.problems(documents.read(judged_text(answer))))
        return concluded(problems, "sections", len(self.sections) + len(self.links))

    def problems(self, document: Document) -> Iterator[str]:
        """What is wrong with a document, in words."""
        found = without(document, self.links).sections(self.sections)
        yield from self._names([s.name for s in found])
        for section in found:
            if section.words < self.min_words:
                yield f"{section.name} holds {section.words} words, of {self.min_words} at least"
        for label in self.links:
            yield from _unlinked(document, label)

    def _names(self, found: Sequence[str]) -> Iterator[str]:
        wanted = [documents.named(name) for name in self.sections]
        missing = [name for name in wanted if name not in found]
        twice = [name for name in wanted if found.count(name) > 1]
        if missing:
            yield f"no section {', '.join(missing)}"
        if twice:
            yield f"more than one section {', '.join(twice)}"
        if self.ordered and not missing and not twice and list(found) != wanted:
            yield f"the sections are in the order {', '.join(found)}"


def labelled(document: Document, label: str) -> list[tuple[Link, ...]]:
    """The links of each line that begins with a label; a line without any gives an empty one."""
    begins = _marker(label)
    found = ((line, begins.match(line.text)) for line in document.lines())
    return [_links(line, match.end()) for line, match in found if match]


def without(document: Document, labels: Sequence[str]) -> Document:
    """A document without the lines that begin with a label: a link is no content of a section."""
    markers = [_marker(label) for label in labels]
    blocks = []
    for block in document.blocks:
        kept = tuple(line for line in block.lines if not any(m.match(line.text) for m in markers))
        if kept or not block.lines:
            blocks.append(replace(block, lines=kept))
    return Document(blocks=tuple(blocks))


def _marker(label: str) -> re.Pattern[str]:
    return re.compile(rf"\W*{re.escape(label)}\s*(?::|=|\u2192|->|\||[\u2013\u2014])")


def unsettled(answer: Generation) -> Verdict | None:
    """The verdict on what is no text, or only the beginning of one."""
    if bad := unjudgeable(answer):
        return bad
    if answer.finish != "stop":
        return inconclusive(
            f"the document was cut off after {len(answer.ids)} tokens",
            tested=1,
            remedy="raise max_tokens, or stop at the end of the last section",
        )
    return None


def concluded(problems: Sequence[str], what: str, tested: int) -> Verdict:
    """Falsified with every problem, or corroborated."""
    if problems:
        return falsified("; ".join(problems), tested=tested)
    return corroborated(f"{what}: all {tested} demands are met", tested=tested)


def section_of(document: Document, name: str) -> Section | None:
    """The first section of a name."""
    return next(iter(document.sections([name])), None)


def _links(line: Line, after: int) -> tuple[Link, ...]:
    if line.links:
        return line.links
    rest = line.text[after:].strip(" |")
    return (Link(text="", target=rest),) if _PATH.fullmatch(rest) else ()


def _unlinked(document: Document, label: str) -> Iterator[str]:
    found = labelled(document, label)
    if not found:
        yield f"no line begins with {label}:"
    elif not all(links and all(link.target.strip() for link in links) for links in found):
        yield f"{label} has no link"
