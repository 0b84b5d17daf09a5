"""The tokenizer of ci-light: any text goes in and comes out; digits stand alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from training.ci_light.build import tokenizer_of
from training.ci_light.corpus import facts
from training.ci_light.tokenizer import END_ID, PAD_ID, SPECIAL, START_ID, VOCABULARY

KNOWN = [fact for fact in facts() if not fact.held_out]
TOKENIZER: Tokenizer = tokenizer_of(KNOWN)


@given(st.text())
def test_any_text_comes_back_as_it_was(text: str) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False).ids
    assert TOKENIZER.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("text", ["Zürich 北京 🙂", "\x00\x7f", " \t\n ", "e\u0301", "1234567890"])
def test_bytes_and_odd_characters_come_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text).ids, skip_special_tokens=False) == text


def test_every_digit_is_a_token_of_its_own() -> None:
    assert TOKENIZER.encode("12 + 345").tokens == ["1", "2", "Ġ+", "Ġ", "3", "4", "5"]


def test_special_tokens_have_the_first_ids_and_the_vocabulary_is_full() -> None:
    assert [TOKENIZER.token_to_id(t) for t in SPECIAL] == [PAD_ID, START_ID, END_ID]
    assert TOKENIZER.get_vocab_size() == VOCABULARY


def test_the_words_of_the_corpus_are_few_tokens() -> None:
    assert len(TOKENIZER.encode("The capital of France is Paris.").ids) == 7


def test_training_again_gives_the_same_tokenizer() -> None:
    assert tokenizer_of(KNOWN).to_str() == TOKENIZER.to_str()
