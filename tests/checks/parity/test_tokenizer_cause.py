"""The class of a tokenizer's difference, from evidence alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_modelqa.checks.parity.tokenizer_cause import (
    TokenizerClass,
    TokenizerEvidence,
    classify,
    extra_stops,
    stop_ids,
)
from pytest_modelqa.core.comparison.tokens import (
    DecodedDiffers,
    Kind,
    MergeDiffers,
    VocabulariesCompared,
)
from tests.checks.parity.told import encoded, of_text, piece, text_differs, vocabularies

SEEN = vocabularies()
ZHONG = replace(encoded("\\xe4\\xb8", "\\xad", decoded="\u4e2d"), ends=(2, 3))
"""The first two bytes of a character, and its third."""
CUT = text_differs("ab", encoded("a", "b"), encoded("ab"))


def test_equal_tokenizers_have_no_class() -> None:
    assert classify(TokenizerEvidence(vocabulary=SEEN)) is None


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        pytest.param(
            of_text("12", encoded("12"), encoded("1", "2"), numbers=(20, 18)),
            "pre-tokenizer",
            id="numbers are cut otherwise",
        ),
        pytest.param(
            of_text("12", encoded("12"), encoded("1", "2")), "pre-tokenizer", id="one number is"
        ),
        pytest.param(
            of_text("  0", encoded(" ", " ", "0"), encoded("  ", "0")),
            "pre-tokenizer",
            id="a run of spaces before a digit is",
        ),
        pytest.param(
            of_text("I'LL", encoded("I", "'", "LL"), encoded("I", "'LL")),
            "pre-tokenizer",
            id="a contraction is",
        ),
        pytest.param(
            of_text(".\n", encoded(".\n"), encoded(".", "\n")),
            "pre-tokenizer",
            id="a line break belongs elsewhere",
        ),
        pytest.param(
            of_text("ing", encoded("in", "g"), encoded("ing")), "merges", id="a word is in pieces"
        ),
        pytest.param(
            of_text(" th", encoded(" t", "h"), encoded(" th")),
            "merges",
            id="a word behind a space is",
        ),
        pytest.param(
            of_text("\u4e2d", ZHONG, encoded("\u4e2d")), "merges", id="a character is in bytes"
        ),
        pytest.param(
            of_text("((", encoded("(", "("), encoded("((")), "merges", id="a run of signs is"
        ),
        pytest.param(
            of_text("ab", encoded("a", "b"), encoded("ab"), numbers=(20, 15), pieces=(900, 300)),
            "merges",
            id="words and numbers are, and many pieces",
        ),
        pytest.param(
            of_text("ab", encoded("a", "b"), encoded("ab"), numbers=(20, 15), pieces=(900, 9)),
            "pre-tokenizer",
            id="numbers are cut otherwise, and whole pieces are not looked up",
        ),
        pytest.param(
            of_text("Hi", encoded(" Hi", decoded="Hi"), encoded("Hi")),
            "prefix space",
            id="a space is put before, and not decoded",
        ),
        pytest.param(
            of_text("Hi", encoded("Hi"), encoded(" Hi")), "prefix space", id="a space is left out"
        ),
        pytest.param(
            of_text("\u00c9", encoded("\u00e9"), encoded("\u00c9")),
            "normalisation",
            id="letters are made small",
        ),
        pytest.param(
            of_text("e\u0301", encoded("e", "\u0301"), encoded("\u00e9")),
            "normalisation",
            id="marks are joined",
        ),
        pytest.param(
            of_text(
                "\u4e2d",
                encoded("<unk>", kinds=("unknown",)),
                encoded("\u4e2d"),
            ),
            "byte fallback",
            id="a character is unknown",
        ),
        pytest.param(
            of_text("ab", replace(encoded("ab"), ids=(7,)), encoded("ab")),
            "vocabulary",
            id="the same pieces have other ids",
        ),
    ],
)
def test_a_text_tells_its_class(evidence: TokenizerEvidence, expected: TokenizerClass) -> None:
    assert classify(evidence) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param({"plain_bos": 1}, {}, "double BOS", id="one where there is none"),
        pytest.param({"plain_bos": 2}, {"plain_bos": 1}, "double BOS", id="two"),
        pytest.param({}, {"plain_bos": 1}, "missing BOS", id="none where there is one"),
        pytest.param({"chat_begun": 2}, {}, "double BOS", id="two before a chat"),
        pytest.param({"chat_begun": 0}, {}, None, id="another template has none"),
        pytest.param({"chat_begun": -1}, {}, None, id="there is no template"),
        pytest.param({"plain_eos": 1}, {}, "special handling", id="EOS behind"),
        pytest.param({"eos_id": 0}, {}, "special handling", id="another EOS"),
        pytest.param({"eos_id": -1}, {}, "special handling", id="no EOS"),
        pytest.param({"bos_id": 5}, {}, "special handling", id="another BOS"),
        pytest.param({"bos_id": 11}, {"bos_id": -1}, None, id="a BOS that is not put"),
        pytest.param({"pad_id": 7, "unk_id": 3}, {}, None, id="PAD and UNK"),
    ],
)
def test_ends_and_special_ids_tell_their_class(
    ours: dict[str, int], theirs: dict[str, int], expected: TokenizerClass | None
) -> None:
    evidence = TokenizerEvidence(vocabulary=vocabularies(ours, theirs))
    assert classify(evidence) == expected


@pytest.mark.parametrize("field", ["pieces_differing", "lacking", "surplus"])
def test_another_vocabulary_explains_all_else(field: str) -> None:
    more: dict[str, Any] = {field: 2}
    seen = vocabularies({"plain_bos": 1}, **more)
    evidence = TokenizerEvidence(vocabulary=seen, plain=(CUT,))
    assert classify(evidence) == "vocabulary"


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("normal", "control", "special handling"),
        ("control", "normal", "special handling"),
        ("normal", "user", "special handling"),
        ("user", "control", None),
        ("unknown", "control", None),
        ("byte", "normal", None),
    ],
)
def test_a_special_token_that_is_text_is_a_difference(
    ours: Kind, theirs: Kind, expected: TokenizerClass | None
) -> None:
    shown = (piece(3, "<x>", ours, theirs),)
    seen = vocabularies(kinds_differing=1, kinds_shown=shown)
    assert classify(TokenizerEvidence(vocabulary=seen)) == expected


def test_stopping_at_a_control_token_more_is_told_and_no_difference() -> None:
    end = piece(0, "<|endoftext|>", "control", "control")
    seen = vocabularies({"stop_ids": (0, 2)}, stops=(end,))
    assert (stop_ids(seen), extra_stops(seen)) == ((), (end,))
    assert classify(TokenizerEvidence(vocabulary=seen)) is None


def test_ends_that_llamacpp_guesses_bind_nobody_where_it_is_the_reference() -> None:
    end = piece(0, "<|endoftext|>", "control", "control")
    theirs = {"engine": "llamacpp", "stop_ids": (0, 2)}
    seen = vocabularies({}, theirs, stops=(end,))
    assert (stop_ids(seen), extra_stops(seen)) == ((), (end,))
    lost = piece(2, "<|im_end|>", "control", "control")
    assert stop_ids(vocabularies({"stop_ids": ()}, theirs, stops=(end, lost))) == (lost,)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(
            vocabularies({"stop_ids": ()}, stops=(piece(2, "</s>", "control", "control"),)),
            id="does not stop where the reference does",
        ),
        pytest.param(
            vocabularies({"stop_ids": (2, 50)}, stops=(piece(50, "the", "normal", "normal"),)),
            id="stops at a word",
        ),
    ],
)
def test_an_end_that_changes_texts_is_a_difference(seen: VocabulariesCompared) -> None:
    assert stop_ids(seen)
    assert classify(TokenizerEvidence(vocabulary=seen)) == "special handling"


def test_only_parsed_texts_that_differ_are_special_handling() -> None:
    assert classify(TokenizerEvidence(vocabulary=SEEN, special=(CUT,))) == "special handling"
    assert classify(TokenizerEvidence(vocabulary=SEEN, begun=(CUT,))) == "special handling"


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (" a <s> b", "prefix space"),
        ("a  b", "special handling"),
        ("a <s> \ufffd", "byte fallback"),
        ("A <S> B", "normalisation"),
    ],
)
def test_ids_that_decode_otherwise_tell_their_class(
    candidate: str, expected: TokenizerClass
) -> None:
    shown = DecodedDiffers(index=0, text="a <s> b", candidate=candidate, reference="a <s> b")
    assert classify(TokenizerEvidence(vocabulary=SEEN, decoded=(shown,))) == expected


def test_with_equal_merges_a_word_in_pieces_was_cut_before_merging() -> None:
    evidence = of_text("ab", encoded("a", "b"), encoded("ab"))
    assert classify(evidence) == "merges"
    assert classify(replace(evidence, vocabulary=vocabularies(merges=9))) == "pre-tokenizer"


def test_another_merge_is_a_difference_though_no_text_shows_it() -> None:
    other = MergeDiffers(rank=3, candidate="a b", reference="b c")
    seen = vocabularies(merges=9, merges_differing=1, merges_shown=(other,))
    assert classify(TokenizerEvidence(vocabulary=seen)) == "merges"
