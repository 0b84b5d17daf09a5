"""Which parts of a completion are judged as code: blocks of a language, or all of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from pytest_modelqa.checks.oracles.fences import blocks_in
from pytest_modelqa.checks.oracles.text import judged_text
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, falsified, inconclusive


class Piece(NamedTuple):
    """A part of a completion that is judged as code. `tag` is its fence's, in lower case."""

    code: str
    fenced: bool
    cut: bool
    tag: str = ""


def whole_pieces(answer: Generation, language: str, tags: Collection[str]) -> list[Piece] | Verdict:
    """The pieces that ended, at least one; else the verdict that says why there is none.

    Pieces are the fenced blocks with one of `tags`, else the untagged blocks, else, in a completion
    without fences, all of it. Code that `max_tokens` or the context cut off is a prefix: left out.
    """
    pieces = _pieces(answer, tags)
    if not pieces:
        found = sorted({b.tag for b in blocks_in(answer.text)})
        return falsified(f"no {language} block, only {', '.join(found)}")
    return [p for p in pieces if not p.cut] or inconclusive(
        f"the {language} code was cut off after {len(answer.ids)} tokens",
        tested=1,
        remedy="raise max_tokens",
    )


def _pieces(answer: Generation, tags: Collection[str]) -> list[Piece]:
    text = judged_text(answer)
    cut = answer.finish != "stop"
    blocks = blocks_in(text)
    if not blocks:
        return [Piece(text, fenced=False, cut=cut)]
    chosen = [b for b in blocks if b.tag in tags] or [b for b in blocks if not b.tag]
    return [Piece(b.code, fenced=True, cut=cut and not b.closed, tag=b.tag) for b in chosen]
