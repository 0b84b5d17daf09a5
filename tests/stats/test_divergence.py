"""Every number about two rows of logits, against SciPy or a closed form; NaN is never a number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import distance
from scipy.special import log_softmax as scipy_log_softmax
from scipy.special import rel_entr, softmax

from pytest_modelqa.stats.divergence import (
    apart,
    centred,
    cosine,
    js,
    kl,
    log_softmax,
    nmse,
    top_overlap,
)

METRICS = ("kl", "js", "cosine", "plain_cosine", "scale", "nmse", "max_abs", "topk", "gap")


def rows(seed: int, spread: float = 3.0, shape: tuple[int, int] = (6, 500)) -> NDArray[np.float32]:
    made = np.random.default_rng(seed).normal(2.0, spread, shape)
    return made.astype(np.float32)


def pair(seed: int = 1, noise: float = 0.3) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    reference = rows(seed)
    return reference, reference + rows(seed + 1, noise)


def test_log_softmax_is_scipys_also_for_logits_that_overflow_an_exponential() -> None:
    logits = rows(1) * np.float32(500)
    assert log_softmax(logits) == pytest.approx(scipy_log_softmax(logits.astype(float), axis=-1))
    assert np.exp(log_softmax(rows(2))).sum(axis=-1) == pytest.approx(1)


def test_kl_is_scipys_relative_entropy_summed() -> None:
    a, b = pair()
    p, q = softmax(a.astype(float), axis=-1), softmax(b.astype(float), axis=-1)
    assert kl(log_softmax(a), log_softmax(b)) == pytest.approx(rel_entr(p, q).sum(-1), rel=1e-9)


def test_kl_of_two_ids_is_the_closed_form_and_has_a_direction() -> None:
    reference = np.log(np.array([[0.75, 0.25]]))
    candidate = np.log(np.array([[0.5, 0.5]]))
    forward = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert kl(log_softmax(reference), log_softmax(candidate)) == pytest.approx(forward)
    backward = 0.5 * math.log(2 / 3) + 0.5 * math.log(2)
    assert kl(log_softmax(candidate), log_softmax(reference)) == pytest.approx(backward)


def test_js_is_the_square_of_scipys_distance_and_at_most_ln_2() -> None:
    a, b = pair()
    p, q = softmax(a.astype(float), axis=-1), softmax(b.astype(float), axis=-1)
    expected = distance.jensenshannon(p, q, axis=-1) ** 2
    assert js(log_softmax(a), log_softmax(b)) == pytest.approx(expected, rel=1e-9)
    apart_wholly = np.array([[1000.0, 0.0]]), np.array([[0.0, 1000.0]])
    assert js(*map(log_softmax, apart_wholly)) == pytest.approx(math.log(2))


def test_cosine_is_scipys() -> None:
    a, b = pair()
    expected = [1 - distance.cosine(x, y) for x, y in zip(a.astype(float), b, strict=True)]
    assert cosine(a, b) == pytest.approx(expected)


def test_nmse_is_the_mean_squared_error_over_the_variance() -> None:
    reference = np.array([[1.0, 3.0]])
    assert nmse(reference, reference + 0.5) == pytest.approx(0.25)
    a, b = pair()
    expected = [
        sum((x - y) ** 2 for x, y in zip(r, s, strict=True)) / len(r) / np.var(r)
        for r, s in zip(a.astype(float), b.astype(float), strict=True)
    ]
    assert nmse(a, b) == pytest.approx(expected)


def test_the_overlap_of_the_likeliest_is_the_share_of_common_ids() -> None:
    reference = np.array([[9.0, 8.0, 7.0, 0.0, 1.0]])
    candidate = np.array([[9.0, 0.0, 7.0, 8.0, 1.0]])
    assert top_overlap(reference, candidate, 3) == pytest.approx(2 / 3)
    assert top_overlap(reference, reference, 3) == 1.0


@settings(deadline=None)
@given(st.floats(-50, 50), st.integers(0, 99))
def test_an_offset_changes_no_probability_and_no_centred_measure(offset: float, seed: int) -> None:
    a, b = (x.astype(np.float64) for x in pair(seed))
    plain, moved = apart(a, b, 5), apart(a, b + offset, 5)
    for metric in ("kl", "js", "cosine", "nmse", "scale", "topk", "gap_shift"):
        assert getattr(moved, metric) == pytest.approx(getattr(plain, metric), abs=1e-9), metric


def test_a_plain_cosine_falls_for_an_offset_and_a_centred_one_for_a_scale() -> None:
    a = rows(1).astype(np.float64)
    shifted, scaled = apart(a, a + 20, 5), apart(a, 2 * a, 5)
    assert shifted.plain_cosine.max() < 0.95
    assert shifted.kl.max() < 1e-12
    assert scaled.cosine.min() > 1 - 1e-12
    assert scaled.kl.min() > 0.1
    assert scaled.scale == pytest.approx(2.0)


def test_two_swapped_best_ids_hide_from_cosine_and_nmse_but_not_from_kl() -> None:
    reference = np.random.default_rng(0).normal(0, 1, (1, 49_152))
    reference[0, :2] = 12.0, 10.0
    candidate = reference.copy()
    candidate[0, :2] = 10.0, 12.0
    found = apart(reference, candidate, 5)
    assert found.cosine[0] > 0.999
    assert found.nmse[0] < 1e-3
    assert found.kl[0] > 0.5
    assert (found.reference_top1[0], found.candidate_top1[0]) == (0, 1)
    assert (found.gap[0], found.gap_shift[0]) == pytest.approx((2.0, -4.0))


def test_rows_that_are_equal_are_nothing_apart() -> None:
    same = apart(rows(1), rows(1), 10)
    for metric, expected in (("kl", 0), ("js", 0), ("nmse", 0), ("max_abs", 0), ("gap_shift", 0)):
        assert getattr(same, metric) == pytest.approx(expected, abs=1e-12), metric
    for metric in ("cosine", "plain_cosine", "scale", "topk"):
        assert getattr(same, metric) == pytest.approx(1), metric


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_a_row_that_is_not_finite_has_no_number_and_spoils_no_other(bad: float, side: int) -> None:
    both = pair()
    clean = apart(*both, 5)
    both[side][2, 17] = bad
    found = apart(*both, 5)
    for metric in (*METRICS, "gap_shift"):
        values = getattr(found, metric)
        assert np.isnan(values[2]), metric
        assert np.delete(values, 2) == pytest.approx(np.delete(getattr(clean, metric), 2)), metric
    assert (found.reference_top1[2], found.candidate_top1[2]) == (-1, -1)


def test_a_row_that_prefers_nothing_has_no_cosine() -> None:
    flat = np.ones((1, 8))
    assert np.isnan(apart(flat, flat, 2).cosine[0])
    assert np.isnan(apart(flat, flat, 2).nmse[0])


def test_only_rounding_is_clamped_from_a_negative_divergence() -> None:
    p = log_softmax(rows(1))
    assert kl(p, p + 1e-9).min() == 0.0
    with pytest.raises(ValueError, match="rounding does not explain"):
        kl(p, p + 1e-3)


@pytest.mark.parametrize("shape", [(5, 500), (6, 499)])
def test_rows_of_other_shapes_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="shapes"):
        apart(rows(1), rows(1, shape=shape), 5)
    with pytest.raises(ValueError, match="nothing to compare"):
        apart(np.ones((3, 1)), np.ones((3, 1)), 5)


def test_centred_rows_have_no_mean() -> None:
    assert centred(rows(1)).mean(axis=-1) == pytest.approx(0, abs=1e-12)
