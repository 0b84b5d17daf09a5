"""What each id of a vocabulary stands for, in one form for every engine: bytes and a kind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

from pytest_modelqa.core.comparison.tokens import Kind

Scheme = Literal["byte-level", "sentencepiece"]
"""How a vocabulary writes bytes: GPT-2's alphabet, or U+2581 for a space and <0xNN> for a byte."""

_RAW_BYTE = re.compile("<0x[0-9A-Fa-f]{2}>")
_SPACE = "\u2581"
_TEXTS: frozenset[Kind] = frozenset(("normal", "byte"))


class Entries(NamedTuple):
    """By id: the bytes that a piece stands for, and its kind. -1 where there is no such id.

    `merges` by rank, as they are stored: two pieces with a space between; none for other than BPE.
    """

    pieces: Sequence[bytes]
    kinds: Sequence[Kind]
    pad_id: int
    unk_id: int
    merges: Sequence[str]


def piece_bytes(text: str, kind: Kind, scheme: Scheme) -> bytes:
    """The bytes that a vocabulary's spelling of a piece means; added words are spelt plainly."""
    if kind not in _TEXTS:
        return text.encode("utf-8", "surrogateescape")
    if scheme == "byte-level":
        alphabet = _alphabet()
        if all(c in alphabet for c in text):
            return bytes(alphabet[c] for c in text)
        return text.encode("utf-8", "surrogateescape")
    if is_raw_byte(text):
        return bytes.fromhex(text[3:5])
    return text.replace(_SPACE, " ").encode("utf-8", "surrogateescape")


def is_raw_byte(text: str) -> bool:
    """Whether a SentencePiece piece is one of the 256 that stand for a byte: <0x0A>."""
    return _RAW_BYTE.fullmatch(text) is not None


@cache
def _alphabet() -> dict[str, int]:
    """GPT-2's bytes_to_unicode, inverted: printable Latin-1 is itself, the rest follows 0x100."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in plain]
    shifted = {chr(0x100 + n): b for n, b in enumerate(others)}
    return {chr(b): b for b in plain} | shifted
