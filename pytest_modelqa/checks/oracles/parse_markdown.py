"""Markdown through markdown-it-py: CommonMark and tables. Loaded by name: it stands at the top."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from pytest_modelqa.checks.oracles.documents import Block, Document, Kind, Line, Link

WRAPPERS = ("markdown", "md")
"""A document that stands in one fence of these tags is read as if the fence were not there."""
_BOX = re.compile(r"\[([ xX])\]\s+")
_PARSER = MarkdownIt("commonmark").enable("table")


def document(text: str) -> Document:
    """The blocks of a text."""
    tokens = _PARSER.parse(text)
    wrapped = _wrapped(tokens)
    return Document(blocks=tuple(_blocks(_PARSER.parse(wrapped) if wrapped else tokens)))


def _wrapped(tokens: Sequence[Token]) -> str:
    """The content of the only fence, where it is tagged as Markdown and no heading is outside."""
    fences = [t for t in tokens if t.type == "fence" and t.level == 0]
    if len(fences) != 1 or any(t.type == "heading_open" for t in tokens):
        return ""
    return fences[0].content if fences[0].info.strip().casefold() in WRAPPERS else ""


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    inside: list[str] = []
    for at, token in enumerate(tokens):
        if token.type == "inline" and inside[-1] not in ("th", "td"):
            yield _block(token, inside)
        elif token.type in ("fence", "code_block"):
            lines = tuple(Line(text=line) for line in token.content.splitlines() if line.strip())
            yield Block(kind="code", lines=lines)
        elif token.type == "tr_open":
            yield _row(_until(tokens, at, "tr_close"))
        if token.nesting > 0:
            inside.append(token.tag)
        elif token.nesting < 0:
            inside.pop()


def _block(token: Token, inside: Sequence[str]) -> Block:
    lines = _lines(token.children or [])
    if "blockquote" in inside:
        return Block(kind="quote", lines=lines)
    if inside[-1][0] == "h" and "li" not in inside:
        return Block(kind="heading", lines=lines, level=int(inside[-1][1]))
    kind: Kind = "item" if "li" in inside else "text"
    box = _BOX.match(lines[0].text) if lines and kind == "item" else None
    if not box:
        return Block(kind=kind, lines=lines)
    first = Line(text=lines[0].text[box.end() :], links=lines[0].links)
    return Block(kind=kind, lines=(first, *lines[1:]), ticked=box[1] != " ")


def _until(tokens: Sequence[Token], at: int, kind: str) -> list[Token]:
    """Those from one place up to the next of a kind, which is left out."""
    end = next((i for i in range(at, len(tokens)) if tokens[i].type == kind), len(tokens))
    return list(tokens[at:end])


def _row(tokens: Sequence[Token]) -> Block:
    """A row as one line, its cells divided by bars."""
    lines = [_lines(t.children or []) for t in tokens if t.type == "inline"]
    text = " | ".join(" ".join(line.text for line in cell) for cell in lines)
    links = tuple(link for cell in lines for line in cell for link in line.links)
    return Block(kind="row", lines=(Line(text=text, links=links),))


def _lines(children: Sequence[Token]) -> tuple[Line, ...]:
    """Rendered lines. A run in bold that ends with a colon begins a line of its own."""
    lines: list[Line] = []
    text, links, target = "", list[Link](), ""
    began = 0
    for at, token in enumerate(children):
        if token.type in ("softbreak", "hardbreak") or _runs_in(children, at):
            lines.append(Line(text=text.strip(), links=tuple(links)))
            text, links = "", []
        elif token.type == "link_open":
            target, began = str(token.attrGet("href") or ""), len(text)
        elif token.type == "link_close":
            links.append(Link(text=text[began:].strip(), target=target))
        elif token.type in ("text", "code_inline"):
            text += token.content
    lines.append(Line(text=text.strip(), links=tuple(links)))
    return tuple(line for line in lines if line.text or line.links)


def _runs_in(children: Sequence[Token], at: int) -> bool:
    """Whether a bold run begins here whose colon is its last character, or the next one."""
    if children[at].type != "strong_open":
        return False
    run = _until(children, at, "strong_close")
    after = children[at + len(run) + 1].content if at + len(run) + 1 < len(children) else ""
    return "".join(t.content for t in run).rstrip().endswith(":") or after.startswith(":")
