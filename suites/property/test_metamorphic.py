"""Related inputs must have related answers, whatever the weights: real modules, found by search."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.conftest import Record
from suites.property.seeds import checked, found

pytestmark = [pytest.mark.tier2, pytest.mark.stab, pytest.mark.usefixtures("one_thread")]

EXACT = 1e-12
"""Float64 eps (2e-16) times the some hundred roundings of two layers, with an order to spare."""

TOKEN = st.integers(0, 23)
TEXT = st.lists(TOKEN, min_size=2, max_size=10)
FAMILY: st.SearchStrategy[Any] = st.sampled_from(["llama", "qwen2", "gemma"])
BATCH = st.integers(2, 8).flatmap(
    lambda length: st.lists(
        st.lists(TOKEN, min_size=length, max_size=length), min_size=2, max_size=5
    )
)


@checked(30)
@given(FAMILY, TEXT, st.data())
def test_a_later_token_never_changes_an_earlier_logit(
    family: Any, ids: list[int], data: st.DataObject
) -> None:
    from suites.property import relations  # noqa: PLC0415 - imports torch

    at = data.draw(st.integers(1, len(ids) - 1))
    other = data.draw(TOKEN.filter(lambda token: token != ids[at]))
    before, after = relations.later_token(family, ids, at, other)
    assert before == 0
    assert after > 0


def test_negative_control_an_open_mask_lets_later_tokens_through() -> None:
    from suites.property import relations  # noqa: PLC0415

    before, _ = relations.later_token("llama", [3, 7, 1, 9], 3, 5, causal=False)
    assert before > 1e-3


@checked(20)
@given(FAMILY, TEXT, st.integers(1, 5), st.sampled_from(["left", "right"]))
def test_padding_under_its_mask_changes_nothing(
    family: Any, ids: list[int], pads: int, side: str
) -> None:
    from suites.property import relations  # noqa: PLC0415

    assert relations.padded(family, ids, pads, side=side) <= EXACT


def test_negative_control_unmasked_padding_is_found() -> None:
    from suites.property import relations  # noqa: PLC0415

    @checked(10)
    @given(TEXT)
    def search(ids: list[int]) -> None:
        assert relations.padded("llama", ids, 2, side="left", masked=False) <= EXACT

    assert found(search)


@checked(20)
@given(BATCH)
def test_a_batch_gives_each_row_what_it_gets_alone(rows: list[list[int]]) -> None:
    from suites.property import relations  # noqa: PLC0415

    # the stock model casts to float32 inside: its eps (6e-8) times the depth
    assert relations.alone_and_together(rows) <= 2e-6


def test_batch_invariance_in_float32_and_bfloat16_is_measured(row: Record) -> None:
    from suites.property import relations  # noqa: PLC0415

    rows = [[(7 * i + 3 * j) % 24 for j in range(12)] for i in range(8)]
    bounds = {"float32": 1e-5, "bfloat16": 5e-2}  # eps 6e-8 and 4e-3, times the depth
    for kind, bound in bounds.items():
        distance = relations.alone_and_together(rows, kind)
        row("batch_invariance", {"type": kind, "largest_difference": distance, "bound": bound})
        assert distance <= bound


@checked(20)
@given(BATCH, st.randoms(use_true_random=False))
def test_a_shuffled_batch_has_shuffled_answers(rows: list[list[int]], random: Any) -> None:
    from suites.property import relations  # noqa: PLC0415

    order = random.sample(range(len(rows)), len(rows))
    assert relations.shuffled_rows(rows, order) <= EXACT


def test_negative_control_answers_of_the_wrong_rows_are_red() -> None:
    from suites.property import relations  # noqa: PLC0415

    rows = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert relations.shuffled_rows(rows, [2, 0, 1], claimed=[1, 0, 2]) > 1e-3


@checked(20)
@given(st.integers(2, 8), st.randoms(use_true_random=False))
def test_attention_without_places_is_equivariant_to_the_order(length: int, random: Any) -> None:
    from suites.property import relations  # noqa: PLC0415

    order = random.sample(range(length), length)
    assert relations.shuffled_tokens(length, order) <= EXACT


def test_negative_control_attention_with_places_knows_the_order() -> None:
    from suites.property import relations  # noqa: PLC0415

    assert relations.shuffled_tokens(4, [3, 2, 0, 1], places=True) > 1e-3


@checked(15)
@given(TEXT, st.permutations(range(24)))
def test_renaming_the_tokens_renames_the_logits(ids: list[int], order: list[int]) -> None:
    from suites.property import relations  # noqa: PLC0415

    assert relations.renamed_tokens(ids, order) <= EXACT


def test_negative_control_a_head_that_was_not_renamed_is_red() -> None:
    from suites.property import relations  # noqa: PLC0415

    assert relations.renamed_tokens([1, 2, 3], [*range(1, 24), 0], head=False) > 1e-3


@checked(25)
@given(FAMILY, TEXT, st.lists(st.integers(1, 9), max_size=4))
def test_a_cache_cut_anywhere_equals_one_forward(
    family: Any, ids: list[int], cuts: list[int]
) -> None:
    from suites.property import relations  # noqa: PLC0415

    assert relations.in_pieces(family, ids, cuts) <= EXACT


@checked(10)
@given(TEXT, st.integers(1, 4), st.integers(1, 16), st.integers(0, 2**16))
def test_a_merged_adapter_answers_as_the_adapter(
    ids: list[int], rank: int, alpha: int, seed: int
) -> None:
    from suites.property import relations  # noqa: PLC0415

    assert relations.merged(ids, rank, alpha, seed) <= EXACT


def test_negative_control_a_merge_of_another_scale_is_found() -> None:
    from suites.property import relations  # noqa: PLC0415

    assert relations.merged([1, 2, 3], 2, 4, 0, merge_scale=1.01) > 1e-6
