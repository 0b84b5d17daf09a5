"""Means of groups: the error against a loop, SciPy and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_modelqa.stats.clustered import groups_needed, mean_of, share_bounds

GROUPS = [[0.1, 0.2, 0.15], [0.5, 0.4], [0.3, 0.35, 0.2, 0.1]]


def test_the_error_is_the_published_formula() -> None:
    values = [x for g in GROUPS for x in g]
    n, mean = len(values), sum(values) / len(values)
    squares = sum(
        (x - mean) * (y - mean) for g in GROUPS for x in g for y in g
    )  # every pair within a group: the double sum of the clustered variance
    found = mean_of(GROUPS)
    assert found.mean == pytest.approx(mean)
    assert found.error == pytest.approx(math.sqrt(3 / 2 * squares) / n)
    assert (found.n, found.groups) == (9, 3)


def test_groups_of_one_give_the_standard_error_of_independent_values() -> None:
    values = [x for g in GROUPS for x in g]
    assert mean_of([[x] for x in values]).error == pytest.approx(stats.sem(values))


def test_the_margin_is_students_t() -> None:
    found = mean_of(GROUPS)
    assert found.error is not None
    assert found.margin() == pytest.approx(stats.t.ppf(0.95, 2) * found.error)


def test_values_that_repeat_within_a_group_do_not_shrink_the_error() -> None:
    once = mean_of([[1.0], [2.0], [4.0]])
    often = mean_of([[1.0] * 50, [2.0] * 50, [4.0] * 50])
    assert often.error == pytest.approx(once.error)


def test_one_group_has_no_error_and_an_empty_one_does_not_count() -> None:
    assert mean_of([[1.0, 2.0], []]).error is None
    assert mean_of([[1.0, 2.0]]).margin() is None
    assert share_bounds([[True, False]]) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_mean_is_made_of_nan_or_of_nothing(bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        mean_of([[1.0], [bad]])
    with pytest.raises(ValueError, match="no values"):
        mean_of([[], []])


def test_the_interval_covers_where_the_independent_one_does_not() -> None:
    random = np.random.default_rng(7)
    covered = naive = 0
    for _ in range(400):
        centres = random.normal(0, 1, (12, 1))
        values = centres + random.normal(0, 0.3, (12, 20))
        found = mean_of(values.tolist())
        margin = found.margin(0.975)
        assert margin is not None
        covered += abs(found.mean) <= margin
        naive += abs(found.mean) <= 1.96 * values.std() / math.sqrt(values.size)
    assert covered / 400 > 0.91
    assert naive / 400 < 0.6


def test_a_share_of_all_is_not_certain() -> None:
    bounds = share_bounds([[True] * 10] * 10)
    assert bounds is not None
    assert bounds[0] == pytest.approx(0.05 ** (1 / 100))
    assert bounds[1] == 1.0


def test_a_share_that_differs_by_group_is_as_wide_as_its_groups_differ() -> None:
    bounds = share_bounds([[True] * 50, [False] * 50, [True] * 50, [True] * 50])
    assert bounds is not None
    assert bounds[0] < 0.3
    assert bounds[1] == 1.0


def test_how_many_groups_would_decide_falls_with_the_distance() -> None:
    found = mean_of(GROUPS)
    near, far = groups_needed(found, found.mean + 0.02), groups_needed(found, found.mean + 0.2)
    assert near is not None
    assert far is not None
    assert near > far > found.groups
    assert groups_needed(found, found.mean) is None
    assert groups_needed(mean_of([[1.0]]), 2.0) is None
