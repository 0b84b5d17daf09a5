"""Pieces in one form: GPT-2's alphabet and SentencePiece's spelling both become bytes."""

from __future__ import annotations

import pytest

from pytest_modelqa.core.comparison.tokens import Kind
from pytest_modelqa.engines.vocabulary import Scheme, is_raw_byte, piece_bytes


@pytest.mark.parametrize(
    ("text", "kind", "scheme", "expected"),
    [
        ("\u0120the", "normal", "byte-level", b" the"),
        ("\u010a", "normal", "byte-level", b"\n"),
        ("\u00c3\u00a9", "normal", "byte-level", "\u00e9".encode()),
        ("\u00e6", "normal", "byte-level", b"\xe6"),
        ("\u0120<x>", "control", "byte-level", "\u0120<x>".encode()),
        ("<|im_start|>", "control", "byte-level", b"<|im_start|>"),
        ("\u4e2d", "user", "byte-level", "\u4e2d".encode()),
        ("\u2581the", "normal", "sentencepiece", b" the"),
        ("<0x0A>", "byte", "sentencepiece", b"\n"),
        ("<0xff>", "byte", "sentencepiece", b"\xff"),
        ("<s>", "control", "sentencepiece", b"<s>"),
        ("\u00c3\u00a9", "normal", "sentencepiece", "\u00c3\u00a9".encode()),
    ],
)
def test_a_piece_is_the_bytes_that_it_stands_for(
    text: str, kind: Kind, scheme: Scheme, expected: bytes
) -> None:
    assert piece_bytes(text, kind, scheme) == expected


def test_every_byte_has_one_letter_in_the_alphabet_of_gpt2() -> None:
    letters = [chr(c) for c in range(0x21, 0x180)]
    found = [piece_bytes(c, "normal", "byte-level") for c in letters]
    assert {b for b in found if len(b) == 1} == {bytes([b]) for b in range(256)}


@pytest.mark.parametrize("text", ["<0x0>", "<0x0g>", "0x0A", "<0x0A> ", "<s>", ""])
def test_other_texts_are_no_raw_byte(text: str) -> None:
    assert not is_raw_byte(text)
