"""Known figures of the statistics, and their refusals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.stats import (
    Spread,
    clopper_pearson_lower,
    clopper_pearson_upper,
    needed_n,
    percentile,
    spread,
    wilson,
)

RELAXED = settings(deadline=None)
COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17, 1998, table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombes_published_intervals(
    k: int, n: int, low: float, high: float
) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=6e-5)


def test_wilson_says_nothing_about_no_trials_and_never_claims_certainty() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(20, 20)
    assert low < 0.85
    assert high == 1.0


@RELAXED
@given(COUNTS)
def test_wilson_holds_the_rate_and_mirrors_its_complement(counts: tuple[int, int]) -> None:
    k, n = counts
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(
    ("k", "n", "bound"),
    [
        (10, 10, 0.741),
        (20, 20, 0.861),
        (19, 20, 0.784),
        (50, 50, 0.942),
        (59, 59, 0.950),
        (95, 100, 0.898),
        (100, 100, 0.970),
        (299, 299, 0.990),
    ],
)
def test_clopper_pearson_gives_the_known_one_sided_bounds(k: int, n: int, bound: float) -> None:
    assert clopper_pearson_lower(k, n) == pytest.approx(bound, abs=6e-4)
    assert clopper_pearson_upper(n - k, n) == pytest.approx(1 - bound, abs=6e-4)


@RELAXED
@given(COUNTS)
def test_the_exact_bound_covers_at_least_nominally(counts: tuple[int, int]) -> None:
    k, n = counts
    bound = clopper_pearson_lower(k, n)
    at_least_k = math.fsum(
        math.comb(n, i) * bound**i * (1 - bound) ** (n - i) for i in range(k, n + 1)
    )
    assert bound <= k / n
    assert at_least_k <= 0.05 + 1e-9 or k == 0


@pytest.mark.parametrize(
    ("rate", "needed"),
    [(0.90, [29, 46, 61, 76]), (0.95, [59, 93, 124, 153]), (0.99, [299, 473, 628, 773])],
)
def test_the_fewest_trials_are_the_known_ones(rate: float, needed: list[int]) -> None:
    assert [needed_n(rate, failures=f) for f in range(4)] == needed


def test_one_trial_fewer_than_needed_cannot_show_the_rate() -> None:
    n = needed_n(0.95)
    assert clopper_pearson_lower(n, n) >= 0.95
    assert clopper_pearson_lower(n - 1, n - 1) < 0.95


@pytest.mark.parametrize(("share", "least"), [(0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_a_percentile_is_refused_below_its_support(share: float, least: int) -> None:
    values = [float(v) for v in range(1, least + 1)]
    assert percentile(values, share) == pytest.approx(math.ceil(share * least))
    assert percentile(values[:-1], share) is None


def test_a_percentile_is_a_value_that_was_measured_whatever_the_order() -> None:
    values = [float(v) for v in range(30, 0, -1)]
    assert percentile(values, 0.9) == 27.0
    assert percentile([float(v) for v in range(1, 101)], 0.55) == 55.0


def test_median_and_spread_shrug_at_an_outlier() -> None:
    assert spread([10, 11, 12, 13, 1000]) == Spread(n=5, median=12, deviation=1.4826)
    assert spread([3.0]) is None
    assert spread([]) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_refused_not_sorted(bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        percentile([1.0] * 40 + [bad], 0.5)
    with pytest.raises(ValueError, match="NaN or infinite"):
        spread([1.0, bad])


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_impossible_counts_are_refused(k: int, n: int) -> None:
    for function in (wilson, clopper_pearson_lower, clopper_pearson_upper):
        with pytest.raises(ValueError, match="no proportion"):
            function(k, n)


@pytest.mark.parametrize("rate", [0.0, 1.0, math.nan])
def test_no_sample_shows_certainty(rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        needed_n(rate)
    with pytest.raises(ValueError, match="expected 0 or more"):
        needed_n(0.9, failures=-1)
