"""The texts that tokenizers are compared on: many kinds, and the same on every machine."""

from __future__ import annotations

import unicodedata

from pytest_modelqa.checks.parity.probes import PROBES, drawn_texts

TEXTS = [text for group in PROBES.values() for text in group]


def test_there_are_several_hundred_and_no_group_repeats_one() -> None:
    assert len(set(TEXTS)) > 600
    for name, group in PROBES.items():
        assert len(set(group)) == len(group), name


def test_every_kind_of_text_is_there() -> None:
    assert "" in TEXTS
    assert max(map(len, TEXTS)) >= 3000
    for needle in ("\r\n", "\t", "\x00", "\u200d", "\U0001f3fd", "<|im_start|>", "</s>", "[INST]"):
        assert any(needle in text for text in TEXTS), ascii(needle)
    for script in ("CJK", "HIRAGANA", "HANGUL", "ARABIC", "DEVANAGARI", "THAI", "HEBREW"):
        assert any(unicodedata.name(c, "").startswith(script) for t in TEXTS for c in t), script
    forms = [text for text in TEXTS if unicodedata.normalize("NFC", text) != text]
    assert len(forms) > 10


def test_every_text_can_be_written_as_utf8() -> None:
    for text in (*TEXTS, *drawn_texts(3, 100)):
        assert text.encode().decode() == text


def test_numbers_are_digits_alone() -> None:
    assert all(text.isdigit() and len(text) > 1 for text in PROBES["numbers"])


def test_drawn_texts_are_different_and_those_of_their_seed() -> None:
    drawn = drawn_texts(1, 40)
    assert len(set(drawn)) == 40
    assert drawn == drawn_texts(1, 40)
    assert drawn[:10] == drawn_texts(1, 10)
    assert drawn != drawn_texts(2, 40)
    assert drawn_texts(1, 0) == ()
