"""A Markdown document as its parser sees it: headings, what stands below them, and links.

What is inside a code block is no heading and no link; what is quoted or commented out is neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

Kind = Literal["heading", "text", "item", "row", "code", "quote"]

_LETTER = re.compile(r"[^\W\d_]")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_EMPTY = re.compile(
    r"(?:to ?do|tbd|tba|n/?a|none|nothing|empty|placeholder|xxx+|lorem ipsum.*|wip"
    r"|to be (?:defined|done|determined|added|filled in|decided|written|completed)"
    r"|coming soon|(?:your|some|the) (?:text|content|answer)(?: goes)? here|as above|see above)",
    re.IGNORECASE,
)
_GAP = re.compile(
    r"[\[<](?:insert|describe|your|add|fill|name|list|specify|enter|date|link|what|why|how)\b"
    r"[^\]>]{0,100}[\]>]|\{\{[^}]{0,100}\}\}|\blorem ipsum\b|\bTBD\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A Markdown link, an autolink, or a bare path. `text` is empty where it has none."""

    text: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of rendered text with the links in it."""

    text: str
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A heading, paragraph, list item, row of a table, block of code, or something quoted.

    `level` is a heading's, 1 to 6, or 0. `ticked` is the state of an item's checkbox.
    """

    kind: Kind
    lines: tuple[Line, ...]
    level: int = 0
    ticked: bool | None = None

    @property
    def text(self) -> str:
        """Its lines as one."""
        return " ".join(line.text for line in self.lines).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading's name, levelled, and the blocks below it up to the next of its rank."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def words(self) -> int:
        """Different words outside of placeholders."""
        return len({w for b in self.blocks if b.kind != "heading" for w in words(b)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All blocks in order."""

    blocks: tuple[Block, ...]

    def sections(self, names: Sequence[str]) -> list[Section]:
        """Those of the names, in the document's order, of one level: that of the first of them."""
        wanted = {named(name) for name in names}
        level = next(
            (b.level for b in self.blocks if b.level and named(b.text) in wanted),
            0,
        )
        return [
            Section(name=named(b.text), blocks=self._below(i))
            for i, b in enumerate(self.blocks)
            if level and b.level == level and named(b.text) in wanted
        ]

    def lines(self) -> Iterator[Line]:
        """All lines that may carry a link: code and quotations do not."""
        for block in self.blocks:
            if block.kind not in ("code", "quote"):
                yield from block.lines

    def _below(self, at: int) -> tuple[Block, ...]:
        level, end = self.blocks[at].level, at + 1
        while end < len(self.blocks) and not 0 < self.blocks[end].level <= level:
            end += 1
        return self.blocks[at + 1 : end]


def read(text: str) -> Document:
    """Parse Markdown (CommonMark, with tables). Bounded by the length of the text."""
    return _parser().document(text)  # type: ignore[no-any-return]


def named(title: str) -> str:
    """A title without number, symbols and colon, in lower case: `2. Plan:` is `plan`."""
    first, last = _LETTER.search(title), _LETTER_OR_DIGIT.search(title[::-1])
    if not first or not last:
        return ""
    return " ".join(title[first.start() : len(title) - last.start()].casefold().split())


def words(block: Block) -> list[str]:
    """The words of a block in lower case; none where it is a placeholder."""
    return [] if is_placeholder(block.text) else split(block.text)


def split(text: str) -> list[str]:
    """Words in lower case."""
    return [m[0].casefold() for m in _WORD.finditer(text)]


def is_placeholder(text: str) -> bool:
    """Whether a text only stands where content should be: `TBD`, `...`, `[describe the plan]`."""
    bare = text.strip(" \t*_`.:;!()-\u2013\u2014\u2026")
    if not bare or _EMPTY.fullmatch(bare):
        return True
    return bool(re.fullmatch(r"(?:\[[^\]]*\]|<[^>]*>|\{+[^}]*\}+|\$\w+)+", bare))


def gap_in(text: str) -> str:
    """A gap that a template left to fill in (`[insert date]`, `{{name}}`), or nothing."""
    found = _GAP.search(text)
    return found[0] if found else ""


def _parser() -> Any:
    """Loaded by name: the parser takes a tenth of a second to import."""
    return import_module(f"{__package__}.parse_markdown")
