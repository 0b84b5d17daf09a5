"""Gates of counts, to the letter: every field, the fewest answers that decide, and the edges."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.core.shipping import Confusion, Demand, Gauge
from pytest_modelqa.stats import clopper_pearson_lower, clopper_pearson_upper, wilson
from pytest_modelqa.stats.gates import MOST, measured, paired, tango_lower
from pytest_modelqa.stats.shares import steps_below

LIMIT = 2_500
"""As far as one by one is searched."""


def gauge(threshold: float, passed: int, n: int, confidence: float | None = 0.95) -> Gauge:
    demand = Demand(kind="ship", metric="rate", threshold=threshold, confidence=confidence)
    return measured(demand, passed=passed, n=n)


def decided(threshold: float, passed: int, n: int, confidence: float) -> bool:
    """By the bounds alone, without the gates."""
    alpha = 1 - confidence
    lower = clopper_pearson_lower(passed, n, alpha)
    return lower >= threshold or clopper_pearson_upper(passed, n, alpha) < threshold


def searched(threshold: float, passed: int, n: int, confidence: float) -> int | None:
    """The first number of answers that decides, the rate being rounded against it, if any does."""
    better = Fraction(passed, n) > Fraction(str(threshold))
    for more in range(n + 1, LIMIT + 1):
        k = more * passed // n if better else -(-more * passed // n)
        if decided(threshold, k, more, confidence):
            return more
    return None


def f1_needed(right: int) -> int:
    """Of 45 trials among 100 answers: an F1 of 0.9 is 9 right trials of 11."""
    trials = searched(0.9 / 1.1, right, 45, 0.9)
    assert trials is not None
    return math.ceil(trials * 100 / 45)


def test_a_gauge_holds_what_was_given_and_what_was_computed() -> None:
    demand = Demand(kind="quality", metric="f1", threshold=0.9, confidence=0.9)
    found = Confusion(true_positive=40, false_negative=2, false_positive=3, true_negative=55)
    pairs = paired([True, False], [True, True])
    low, high = wilson(40, 45)
    assert measured(demand, passed=95, n=100, confusion=found, paired=pairs) == Gauge(
        demand=demand,
        n=100,
        passed=95,
        value=80 / 85,
        low=2 * low / (1 + low),
        high=2 * high / (1 + high),
        lower=2 * (bound := clopper_pearson_lower(40, 45, 0.1)) / (1 + bound),
        state="inconclusive",
        needed=f1_needed(40),
        confusion=found,
        paired=pairs,
    )


@pytest.mark.parametrize(
    ("threshold", "passed", "n", "confidence"),
    [
        (0.95, 97, 100, 0.95),
        (0.95, 94, 100, 0.95),
        (0.95, 90, 100, 0.99),
        (0.95, 58, 58, 0.95),
        (0.9, 91, 100, 0.8),
        (0.5, 0, 1, 0.95),
        (0.5, 4, 10, 0.9),
        (0.3, 35, 100, 0.95),
        (0.3, 25, 100, 0.95),
        (0.1, 1, 5, 0.95),
    ],
)
def test_the_fewest_answers_are_those_that_a_search_finds(
    threshold: float, passed: int, n: int, confidence: float
) -> None:
    found = gauge(threshold, passed, n, confidence)
    assert found.state == "inconclusive"
    assert found.needed == searched(threshold, passed, n, confidence)


@pytest.mark.parametrize("right", [40, 35])
def test_an_f1_needs_what_its_trials_need(right: int) -> None:
    """Above its threshold and below it."""
    demand = Demand(kind="ship", metric="f1", threshold=0.9, confidence=0.9)
    found = Confusion(
        true_positive=right, false_negative=45 - right, false_positive=0, true_negative=55
    )
    needed = measured(demand, passed=right + 55, n=100, confusion=found).needed
    assert needed == f1_needed(right)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.data(), st.sampled_from([0.1, 0.3, 0.5, 0.8, 0.9]))
def test_the_fewest_answers_are_those_that_a_search_finds_anywhere(
    n: int, data: st.DataObject, threshold: float
) -> None:
    passed = data.draw(st.integers(0, n))
    found = gauge(threshold, passed, n)
    if found.state != "inconclusive" or Fraction(passed, n) == Fraction(str(threshold)):
        assert found.needed is None
    else:
        first = searched(threshold, passed, n, 0.95)
        assert (found.needed if (found.needed or MOST) <= LIMIT else None) == first


def test_more_answers_than_anyone_asks_for_are_none() -> None:
    assert gauge(0.95, 9501, 10_000).needed is None
    assert gauge(0.95, 9499, 10_000).needed is None
    assert gauge(0.999_999_999, 1, 1).needed is None
    assert gauge(0.999_999_999, 0, 1).state == "blocked"
    assert gauge(0.999_997_004_27, 1, 1).needed == MOST, "0.05 is that to the power of 999,999.3"
    assert gauge(0.999_997_004_28, 1, 1).needed is None
    needed = gauge(0.95, 9505, 10_000).needed
    assert needed is not None
    assert 10_000 < needed <= MOST


def test_few_misses_among_very_many_are_counted_up_to_the_last() -> None:
    """One of half a million: two of a million show more, three would be too many trials."""
    needed = gauge(0.999_992, 499_999, 500_000).needed
    assert needed is not None
    assert 500_000 < needed < MOST
    assert gauge(0.999_992, needed - 2, needed).state == "cleared"
    assert gauge(0.999_992, needed - 3, needed - 1).state == "inconclusive"
    assert gauge(0.999_994, 499_999, 500_000).needed is None


def test_a_bound_that_is_the_threshold_clears() -> None:
    """One right answer shows at least a half with 50 % confidence, by exact numbers."""
    assert gauge(0.5, 0, 0, 0.5).needed == 1
    assert gauge(0.5, 1, 1, 0.5).state == "cleared"


def test_of_nothing_measured_as_much_is_needed_as_the_best_rate_needs() -> None:
    assert gauge(0.0, 0, 0).needed == 1
    assert gauge(0.0, 0, 1).state == "cleared"
    assert gauge(1.0, 0, 0).needed is None


def refusals(right: int, confidence: float | None) -> Gauge:
    """So many right refusals beside 50 true negatives."""
    demand = Demand(kind="ship", metric="f1", threshold=0.98, confidence=confidence)
    found = Confusion(true_positive=right, false_negative=0, false_positive=0, true_negative=50)
    return measured(demand, passed=right + 50, n=right + 50, confusion=found)


def test_true_negatives_alone_stand_beside_what_is_needed() -> None:
    assert refusals(0, None).needed == 51
    needed = refusals(0, 0.95).needed
    assert needed is not None
    assert refusals(needed - 50, 0.95).state == "cleared"
    assert refusals(needed - 51, 0.95).state == "inconclusive"


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5])
def test_negative_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    said = f"confidence is {confidence}; expected a number between 0 and 1"
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        gauge(0.5, 1, 1, confidence)


def test_negative_an_f1_without_its_confusion_is_refused() -> None:
    demand = Demand(kind="ship", metric="f1", threshold=0.98)
    with pytest.raises(ValueError, match=r"^F1 needs the confusion of the answers$"):
        measured(demand, passed=1, n=1)


def test_pairs_of_four_kinds_are_told_apart() -> None:
    kinds = {(True, True): 4, (False, True): 3, (True, False): 2, (False, False): 1}
    pairs = [pair for pair, count in kinds.items() for _ in range(count)]
    found = paired([ours for ours, _ in pairs], [theirs for _, theirs in pairs], confidence=0.8)
    assert (found.both, found.lost, found.won, found.neither) == (4, 3, 2, 1)
    assert found.lower == tango_lower(3, 2, 10, 0.8) > tango_lower(3, 2, 10)


@pytest.mark.parametrize("n", [1, 2, 50])
@pytest.mark.parametrize("confidence", [0.6, 0.95, 0.999])
def test_a_win_on_every_pair_has_a_bound_in_closed_form(n: int, confidence: float) -> None:
    z = NormalDist().inv_cdf(confidence)
    assert tango_lower(0, n, n, confidence) == pytest.approx(1 - 2 * z**2 / (n + z**2))


@pytest.mark.parametrize(
    ("share", "steps", "reached"),
    [
        (0.57, 10_000, 5700),
        (0.29, 100, 29),
        (0.9499, 100, 94),
        (0.949_999, 1000, 949),
        (1.0, 10_000, 10_000),
        (0.0, 100, 0),
        (2 / 3, 3, 2),
    ],
)
def test_a_share_is_rounded_down_and_a_written_one_is_reached(
    share: float, steps: int, reached: int
) -> None:
    assert steps_below(share, steps) == reached
