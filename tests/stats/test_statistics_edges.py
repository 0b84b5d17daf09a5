"""Both sides of every threshold of the statistics, and every argument that is passed on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_modelqa.stats import (
    clopper_pearson_lower,
    clopper_pearson_upper,
    needed_n,
    percentile,
    spread,
    wilson,
)
from pytest_modelqa.stats.clustered import Mean, groups_needed, mean_of, share_bounds
from pytest_modelqa.stats.divergence import (
    ROUNDING,
    apart,
    centred,
    cosine,
    js,
    kl,
    log_softmax,
    nmse,
    top_overlap,
)

SQUARE = np.array([[1.0, 2.0, 4.0], [7.0, 3.0, 1.0], [0.5, 0.25, 6.0]])
OTHER = np.array([[1.5, 2.0, 3.0], [6.0, 4.0, 1.0], [2.5, 0.0, 5.0]])


@pytest.mark.parametrize("alpha", [0.01, 0.2])
def test_the_upper_bound_mirrors_the_lower_at_any_confidence(alpha: float) -> None:
    found = clopper_pearson_upper(3, 20, alpha)
    assert found == pytest.approx(1 - clopper_pearson_lower(17, 20, alpha))
    assert found != pytest.approx(clopper_pearson_upper(3, 20))


def test_an_upper_end_never_passes_certainty() -> None:
    assert all(wilson(n - 1, n, z)[1] <= 1 for n in range(2, 60) for z in (0.5, 1.96, 8.0))
    ends = [(wilson(0, n)[0], wilson(n, n)[1]) for n in range(1, 60)]
    assert set(ends) == {(0.0, 1.0)}, "whatever is left of rounding"


def test_a_share_out_of_range_is_named() -> None:
    with pytest.raises(ValueError, match=r"^rate is 2; expected"):
        needed_n(2)
    with pytest.raises(ValueError, match=r"^alpha is 0; expected"):
        needed_n(0.5, alpha=0)


def test_a_risk_that_is_met_exactly_is_met() -> None:
    assert [needed_n(0.5, alpha=0.5**k) for k in range(1, 7)] == [1, 2, 3, 4, 5, 6]
    assert needed_n(0.3, alpha=0.5) == 1


@pytest.mark.parametrize("confidence", [0.5, 0.999])
def test_a_percentile_needs_what_its_confidence_asks(confidence: float) -> None:
    least = needed_n(0.9, alpha=1 - confidence)
    values = [float(v) for v in range(least)]
    assert percentile(values, 0.9, confidence=confidence) is not None
    assert percentile(values[1:], 0.9, confidence=confidence) is None


def test_the_lowest_percentile_is_the_lowest_value() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.01) == 1.0


def test_two_values_have_a_spread_in_their_unit() -> None:
    found = spread([10.0, 14.0])
    assert found is not None
    assert (found.n, found.median, found.deviation) == pytest.approx((2, 12.0, 2 * 1.4826))


def test_two_groups_have_an_error_and_nothing_has_no_mean() -> None:
    assert mean_of([[1.0], [3.0]]).error == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"^no values, so no mean$"):
        mean_of([])


@pytest.mark.parametrize("confidence", [0.6, 0.99])
def test_bounds_of_a_share_hold_with_the_confidence_asked_for(confidence: float) -> None:
    groups = [[True, False]] * 10
    bounds = share_bounds(groups, confidence)
    assert bounds == pytest.approx(
        (
            clopper_pearson_lower(10, 20, 1 - confidence),
            clopper_pearson_upper(10, 20, 1 - confidence),
        )
    )


def test_the_groups_needed_grow_with_the_square_and_are_at_least_one_more() -> None:
    found = Mean(n=40, groups=10, mean=0.5, error=0.1)
    margin = found.margin()
    assert margin is not None
    for times in (1.5, 3.0):
        assert groups_needed(found, 0.5 + margin / times) == math.ceil(10 * times**2)
    assert groups_needed(found, 0.5 + 100 * margin) == 11


def test_every_measure_of_a_row_is_that_rows_alone() -> None:
    """As many rows as ids, so that a sum over the wrong axis has the right shape."""
    p, q = log_softmax(SQUARE), log_softmax(OTHER)
    whole = apart(SQUARE, OTHER, 2)
    for i in range(len(SQUARE)):
        one = slice(i, i + 1)
        assert p[one] == pytest.approx(log_softmax(SQUARE[one]))
        assert centred(SQUARE)[one] == pytest.approx(centred(SQUARE[one]))
        for measure in (kl, js):
            assert measure(p, q)[one] == pytest.approx(measure(p[one], q[one]))
        for of_rows in (cosine, nmse):
            assert of_rows(SQUARE, OTHER)[one] == pytest.approx(of_rows(SQUARE[one], OTHER[one]))
        alone = apart(SQUARE[one], OTHER[one], 2)
        for name in alone.__slots__:
            assert getattr(whole, name)[one] == pytest.approx(getattr(alone, name)), name
    assert whole.gap.tolist() == [2.0, 4.0, 5.5]
    assert whole.gap_shift.tolist() == pytest.approx([-1.0, -2.0, -3.0])
    assert whole.max_abs.tolist() == [1.0, 1.0, 2.0]
    assert whole.reference_top1.tolist() == whole.candidate_top1.tolist() == [2, 0, 2]


def coarse() -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    random = np.random.default_rng(5)
    reference = random.normal(0, 30, (4, 3000)).astype(np.float16)
    return reference, (reference + random.normal(0, 1, (4, 3000))).astype(np.float16)


def test_rows_of_half_precision_are_measured_in_double() -> None:
    halves = coarse()
    doubles = (halves[0].astype(np.float64), halves[1].astype(np.float64))
    assert log_softmax(halves[0]).dtype == centred(halves[0]).dtype == np.float64
    for of_rows in (cosine, nmse):
        assert of_rows(*halves) == pytest.approx(of_rows(*doubles), rel=1e-12)
        assert of_rows(halves[0], doubles[1]) == pytest.approx(of_rows(*doubles), rel=1e-12)
        assert of_rows(doubles[0], halves[1]) == pytest.approx(of_rows(*doubles), rel=1e-12)
    narrow, wide = apart(*halves, 5), apart(*doubles, 5)
    for name in narrow.__slots__:
        assert getattr(narrow, name) == pytest.approx(getattr(wide, name), rel=1e-12), name
        assert getattr(narrow, name).dtype == getattr(wide, name).dtype, name


def test_the_likeliest_are_found_wherever_they_stand() -> None:
    random = np.random.default_rng(3)
    reference = random.permuted(np.tile(np.arange(200.0), (40, 1)), axis=-1)
    candidate = reference + random.normal(0, 3, reference.shape)
    for k in (1, 2, 7):
        ours, theirs = np.argsort(-reference)[:, :k], np.argsort(-candidate)[:, :k]
        shared = [len(set(a) & set(b)) / k for a, b in zip(ours, theirs, strict=True)]
        assert top_overlap(reference, candidate, k).tolist() == shared
        assert top_overlap(reference, reference, k).tolist() == [1.0] * 40
    found = apart(reference, candidate, 3)
    assert found.gap.tolist() == [1.0] * 40
    rows = np.arange(40)
    first, second = np.argsort(-reference)[:, :2].T
    assert found.gap_shift == pytest.approx(candidate[rows, first] - candidate[rows, second] - 1)


def test_as_many_rows_on_both_sides() -> None:
    with pytest.raises(ValueError, match="zip"):
        top_overlap(SQUARE, OTHER[:2], 2)


def test_a_vocabulary_of_two_is_enough_and_no_row_at_all_is_no_error() -> None:
    two = apart(np.array([[0.0, 1.0]]), np.array([[0.0, 3.0]]), 1)
    assert (two.gap[0], two.gap_shift[0], two.max_abs[0]) == (1.0, 2.0, 2.0)
    none = apart(np.full((2, 4), np.nan), np.ones((2, 4)), 2)
    assert np.isnan(none.max_abs).all()
    assert none.reference_top1.tolist() == [-1, -1]
    assert none.reference_top1.dtype.kind == "i"


def test_a_divergence_as_negative_as_rounding_is_zero() -> None:
    p = np.log(np.array([[1.0, 1e-300]]))
    assert kl(p, p - ROUNDING).tolist() == [0.0]
