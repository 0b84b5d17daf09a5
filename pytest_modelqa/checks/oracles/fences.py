"""Fenced blocks of markdown: which parts of a completion are code, and of which language."""

from __future__ import annotations

import re
from typing import NamedTuple

_FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+#.-]*)[^\n`]*$")


class Block(NamedTuple):
    """A fenced block. `tag` is in lower case, empty where there is none; `closed` by a fence."""

    tag: str
    code: str
    closed: bool


def blocks_in(text: str) -> list[Block]:
    """All fenced blocks, in order; the last one may be unclosed."""
    return apart(text)[0]


def apart(text: str) -> tuple[list[Block], str]:
    """The fenced blocks, and the text around them."""
    blocks: list[Block] = []
    around: list[str] = []
    fence, tag, lines = "", "", list[str]()
    for line in text.splitlines():
        match = _FENCE.match(line)
        if not fence and match:
            fence, tag, lines = match["fence"], match["tag"].lower(), []
        elif fence and match and match["fence"].startswith(fence) and not match["tag"]:
            blocks.append(Block(tag, "\n".join(lines), closed=True))
            fence = ""
        else:
            (lines if fence else around).append(line)
    if fence:
        blocks.append(Block(tag, "\n".join(lines), closed=False))
    return blocks, "\n".join(around)
