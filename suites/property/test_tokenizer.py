"""The project's byte-level tokenizer: every text comes back as it went in."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from suites.property.seeds import checked, found
from training.ci_light.tokenizer import SPECIAL, trained

pytestmark = [pytest.mark.tier2, pytest.mark.comp]

TEXTS = ("What is the capital of France? It is Paris.", "2 + 2 = 4", "naïve café", "def f(x):")


@cache
def tokenizer(*, lower: bool = False) -> Any:
    """Trained on a few lines; `lower` plants a normaliser that loses the case."""
    from tokenizers import normalizers  # noqa: PLC0415 - only where it is used

    made = trained(TEXTS)
    if lower:
        made.normalizer = normalizers.Lowercase()
    return made


def back(text: str, **options: bool) -> str:
    """Encode and decode."""
    held = tokenizer(**options)
    return str(held.decode(held.encode(text).ids, skip_special_tokens=False))


@checked(300)
@given(st.text(max_size=40))
@example("")
@example("  two  spaces\t\r\n\n ")
@example("e\u0301 \u200d\u2066 \U0001f469\u200d\U0001f4bb \x00")
@example(f"{SPECIAL[1]}user{SPECIAL[2]}")
def test_every_text_comes_back(text: str) -> None:
    assert back(text) == text


@checked(100)
@given(st.text(max_size=20), st.text(max_size=20))
def test_the_bytes_of_two_texts_are_those_of_the_whole(one: str, two: str) -> None:
    assert back(one) + back(two) == back(one + two)


def test_negative_control_a_tokenizer_that_loses_the_case_is_found_and_shrunk() -> None:
    seen: list[str] = []

    @checked(300)
    @given(st.text(max_size=40))
    def search(text: str) -> None:
        seen.append(text)
        assert back(text, lower=True) == text

    assert found(search)
    assert len(seen[-1]) == 1
