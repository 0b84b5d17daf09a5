"""Gates of counts: both policies at their boundaries, what would decide, and pairs."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import binom, binomtest

from pytest_modelqa.core.shipping import Confusion, Demand, Gauge
from pytest_modelqa.stats.gates import mcnemar, measured, paired, tango_lower

Z95 = NormalDist().inv_cdf(0.95)


def gauge(threshold: float, passed: int, n: int, confidence: float | None = None) -> Gauge:
    demand = Demand(kind="ship", metric="rate", threshold=threshold, confidence=confidence)
    return measured(demand, passed=passed, n=n)


def f1(threshold: float, tp: int, fn: int, fp: int, tn: int, confidence: float | None) -> Gauge:
    demand = Demand(kind="ship", metric="f1", threshold=threshold, confidence=confidence)
    found = Confusion(true_positive=tp, false_negative=fn, false_positive=fp, true_negative=tn)
    return measured(demand, passed=tp + tn, n=tp + fn + fp + tn, confusion=found)


@pytest.mark.parametrize(
    ("threshold", "passed", "n", "state"),
    [
        (0.95, 95, 100, "cleared"),
        (0.95, 94, 100, "blocked"),
        (0.85, 85, 100, "cleared"),
        (0.29, 29, 100, "cleared"),
        (0.57, 57, 100, "cleared"),
        (0.58, 57, 100, "blocked"),
        (0.55, 55, 100, "cleared"),  # in binary, 0.55 lies above 55/100 and 0.95 below 95/100
        (0.1, 10, 100, "cleared"),
        (1.0, 100, 100, "cleared"),
        (1.0, 99, 100, "blocked"),
        (0.0, 0, 5, "cleared"),
    ],
)
def test_the_point_policy_compares_counts(
    threshold: float, passed: int, n: int, state: str
) -> None:
    assert gauge(threshold, passed, n).state == state


@given(st.integers(1, 1000), st.integers(0, 1000))
def test_a_written_percentage_is_reached_by_just_that_percentage(n: int, k: int) -> None:
    threshold = float(f"{k / 1000:.3f}")
    passed = -(-k * n // 1000)
    assert gauge(threshold, passed, n).state == ("cleared" if passed <= n else "blocked")
    if passed:
        assert gauge(threshold, passed - 1, n).state == "blocked"


@pytest.mark.parametrize(
    ("threshold", "passed", "n", "confidence", "state", "needed"),
    [
        (0.95, 59, 59, 0.95, "cleared", None),
        (0.95, 58, 58, 0.95, "inconclusive", 59),
        (0.90, 29, 29, 0.95, "cleared", None),
        (0.99, 50, 50, 0.95, "inconclusive", 299),
        (0.95, 95, 100, 0.95, "inconclusive", None),
        (0.95, 90, 100, 0.95, "blocked", None),
        (0.95, 99, 100, 0.95, "cleared", None),
        (0.95, 99, 100, 0.99, "inconclusive", 165),
        (1.0, 9, 9, 0.95, "inconclusive", None),
        (1.0, 8, 9, 0.95, "blocked", None),
    ],
)
def test_the_bound_policy_at_its_boundaries(
    threshold: float, passed: int, n: int, confidence: float, state: str, needed: int | None
) -> None:
    found = gauge(threshold, passed, n, confidence)
    assert (found.state, found.needed) == (state, needed)


@settings(max_examples=60)
@given(st.integers(1, 300), st.data(), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.98]))
def test_as_many_answers_as_are_needed_decide_at_the_same_rate(
    n: int, data: st.DataObject, threshold: float
) -> None:
    passed = data.draw(st.integers(0, n))
    found = gauge(threshold, passed, n, 0.95)
    if found.needed is None:
        return
    assert found.needed > n
    better = Fraction(passed, n) > Fraction(str(threshold))
    share = found.needed * passed
    then = share // n if better else -(-share // n)
    decided = gauge(threshold, then, found.needed, 0.95)
    assert decided.state == ("cleared" if better else "blocked")


@given(st.integers(1, 200), st.data())
def test_the_bound_is_the_exact_one(n: int, data: st.DataObject) -> None:
    passed = data.draw(st.integers(0, n))
    exact = binomtest(passed, n, alternative="greater").proportion_ci(0.95, "exact").low
    assert gauge(0.5, passed, n).lower == pytest.approx(exact, abs=1e-9)


def test_negative_nothing_measured_is_never_cleared() -> None:
    for threshold in (0.0, 0.5, 1.0):
        for confidence in (None, 0.95):
            found = gauge(threshold, 0, 0, confidence)
            assert (found.state, found.value, found.lower) == ("inconclusive", 0.0, 0.0)
    assert gauge(0.95, 0, 0).needed == 1
    assert gauge(0.95, 0, 0, 0.95).needed == 59


@pytest.mark.parametrize(
    ("counts", "value", "state"),
    [
        ((98, 2, 2, 98), 0.98, "cleared"),
        ((97, 3, 1, 99), 194 / 198, "blocked"),
        ((100, 0, 4, 96), 200 / 204, "cleared"),
        ((100, 0, 5, 95), 200 / 205, "blocked"),
        ((0, 100, 0, 100), 0.0, "blocked"),
    ],
)
def test_f1_decides_by_its_own_counts(
    counts: tuple[int, int, int, int], value: float, state: str
) -> None:
    found = f1(0.98, *counts, None)
    assert found.value == pytest.approx(value)
    assert found.state == state


def test_the_bound_of_f1_is_that_of_its_jaccard_index() -> None:
    found = f1(0.98, 100, 0, 0, 100, 0.95)
    j = 0.05 ** (1 / 100)
    assert found.lower == pytest.approx(2 * j / (1 + j))
    assert found.state == "cleared"
    fewer = f1(0.98, 60, 0, 0, 60, 0.95)
    assert (fewer.state, fewer.needed) == ("inconclusive", 150)
    assert f1(0.98, 75, 0, 0, 75, 0.95).state == "cleared"
    assert f1(0.98, 74, 0, 0, 74, 0.95).state == "inconclusive"


def test_negative_true_negatives_alone_say_nothing_of_f1() -> None:
    assert f1(0.98, 0, 0, 0, 50, None).state == "inconclusive"
    assert f1(0.0, 0, 0, 0, 50, 0.95).state == "inconclusive"


@pytest.mark.parametrize(
    ("passed", "n", "demand", "confusion"),
    [
        (3, 2, {}, None),
        (-1, 2, {}, None),
        (1, 2, {"threshold": 1.5}, None),
        (1, 2, {"threshold": float("nan")}, None),
        (1, 2, {"confidence": 1.0}, None),
        (1, 2, {"confidence": float("nan")}, None),
        (1, 2, {"metric": "f1"}, None),
        (1, 2, {"metric": "f1"}, (1, 0, 0, 1)),
        (2, 2, {"metric": "f1"}, (1, 0, 0, 2)),
        (2, 2, {"metric": "f1"}, (3, 0, 0, -1)),
    ],
)
def test_negative_counts_that_contradict_are_refused(
    passed: int, n: int, demand: dict[str, object], confusion: tuple[int, int, int, int] | None
) -> None:
    asked = Demand(**{"kind": "ship", "metric": "rate", "threshold": 0.5, **demand})  # type: ignore[arg-type]
    names = ("true_positive", "false_negative", "false_positive", "true_negative")
    found = Confusion(**dict(zip(names, confusion, strict=True))) if confusion else None
    with pytest.raises(ValueError, match=r"expected|confusion"):
        measured(asked, passed=passed, n=n, confusion=found)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test_of_the_discordant(lost: int, won: int) -> None:
    expected = binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert mcnemar(lost, won) == pytest.approx(expected)


def test_pairs_are_counted_item_by_item() -> None:
    found = paired([True, True, False, False, True, False], [True, False, True, False, True, True])
    assert (found.both, found.won, found.lost, found.neither) == (2, 1, 2, 1)
    assert found.p_value == 1.0
    assert found.lower == tango_lower(2, 1, 6)


@pytest.mark.parametrize("n", [1, 20, 100, 1000])
def test_agreement_on_every_pair_still_has_a_width(n: int) -> None:
    assert tango_lower(0, 0, n) == pytest.approx(-Z95 * Z95 / (n + Z95 * Z95))


def test_the_ends_of_the_effect() -> None:
    assert tango_lower(7, 0, 7) == -1.0
    assert paired([], []).lower == -1.0
    assert tango_lower(0, 50, 50) == pytest.approx(1 - 2 * Z95**2 / (50 + Z95**2))


@given(st.integers(1, 80), st.data())
def test_the_lower_bound_is_below_the_effect_and_falls_with_losses(
    n: int, data: st.DataObject
) -> None:
    lost = data.draw(st.integers(0, n))
    won = data.draw(st.integers(0, n - lost))
    bound = tango_lower(lost, won, n)
    assert -1.0 <= bound <= (won - lost) / n
    if won:
        assert tango_lower(lost + 1, won - 1, n) <= bound


@pytest.mark.parametrize(
    ("lost", "won", "n"), [(12, 0, 100), (1, 1, 20), (5, 9, 60), (0, 4, 30), (30, 2, 40)]
)
def test_at_the_bound_the_score_test_is_at_its_critical_value(lost: int, won: int, n: int) -> None:
    """The error under the restriction is found by maximising the likelihood, not by a formula."""
    d = tango_lower(lost, won, n)

    def against(p: float) -> float:
        both = xlogy(won, p + d) + xlogy(lost, p)
        return -float(both + xlogy(n - won - lost, 1 - 2 * p - d))

    ends = max(0.0, -d) + 1e-12, (1 - d) / 2 - 1e-12
    p = float(minimize_scalar(against, bounds=ends, method="bounded", options={"xatol": 1e-12}).x)
    score = (won - lost - n * d) / math.sqrt(n * (2 * p + d - d * d))
    assert score == pytest.approx(Z95, abs=1e-3)


@pytest.mark.parametrize(("p_lost", "p_won"), [(0.05, 0.05), (0.1, 0.02), (0.02, 0.15)])
def test_the_bound_covers_about_as_often_as_it_says(p_lost: float, p_won: float) -> None:
    """Over every outcome of 30 pairs: a score bound is near its nominal 95 %, not exact."""
    n, covered = 30, 0.0
    for lost in range(n + 1):
        for won in range(n + 1 - lost):
            weight = binom.pmf(lost, n, p_lost) * binom.pmf(won, n - lost, p_won / (1 - p_lost))
            covered += weight * (tango_lower(lost, won, n) <= p_won - p_lost)
    assert 0.9 <= covered <= 1.0


def test_negative_pairs_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        paired([True], [])
    with pytest.raises(ValueError, match="no part"):
        tango_lower(3, 3, 5)
    with pytest.raises(ValueError, match="confidence"):
        paired([True], [True], confidence=1.0)
