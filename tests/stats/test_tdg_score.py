"""The score of four measured terms: known figures, refusals, and no default for what is missing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pytest_modelqa.stats.tdg import (
    BUDGETS_S,
    WEIGHTS,
    Term,
    dropped,
    scored,
    share,
    speed_factor,
)


def terms(**values: float) -> dict[str, Term]:
    made = {"tests": 1.0, "coverage": 0.9, "mutation": 0.8, "speed": 0.5} | values
    return {name: Term(name=name, value=v, counted=f"{v}") for name, v in made.items()}


def test_the_score_is_the_published_formula() -> None:
    found = scored(terms())
    assert found.score == pytest.approx(100 * (0.3 * 1 + 0.3 * 0.9 + 0.25 * 0.8 + 0.15 * 0.5))
    assert [t.name for t in found.terms] == ["tests", "coverage", "mutation", "speed"]
    assert [t.points for t in found.terms] == pytest.approx([30.0, 27.0, 20.0, 7.5])


def test_the_weights_are_the_published_ones_and_sum_to_one() -> None:
    assert dict(WEIGHTS) == {"tests": 0.3, "coverage": 0.3, "mutation": 0.25, "speed": 0.15}
    assert math.fsum(WEIGHTS.values()) == 1.0
    assert dict(BUDGETS_S) == {1: 5.0, 2: 30.0, 3: 300.0}


def test_all_full_is_a_hundred_and_all_nothing_is_nothing() -> None:
    full = dict.fromkeys(WEIGHTS, 1.0)
    assert scored(terms(**full)).score == 100.0
    assert scored(terms(**dict.fromkeys(WEIGHTS, 0.0))).score == 0.0


@pytest.mark.parametrize("missing", WEIGHTS)
def test_negative_control_a_missing_term_gives_no_score(missing: str) -> None:
    found = terms()
    del found[missing]
    with pytest.raises(ValueError, match=r"^terms \[.*expected \['coverage', 'mutation'"):
        scored(found)


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.01, 1.01])
def test_negative_control_a_term_that_is_no_share_gives_no_score(name: str, bad: float) -> None:
    found = terms()
    found[name] = replace(found[name], value=bad)
    with pytest.raises(ValueError, match=f"^{name} is .*; expected 0 to 1$"):
        scored(found)


def test_a_share_is_part_of_whole() -> None:
    assert share(1, 4) == 0.25
    assert share(0, 4) == 0.0
    assert share(4, 4) == 1.0
    assert share(1, 1) == 1.0


@pytest.mark.parametrize(
    ("part", "whole"),
    [(0, 0), (5, 4), (-1, 4), (math.nan, 4), (1, math.nan), (1, math.inf), (0, -1)],
)
def test_negative_control_what_is_no_share_is_refused(part: float, whole: float) -> None:
    with pytest.raises(ValueError, match=r"^-?\w+ of -?\w+ is no share$"):
        share(part, whole)


def test_in_budget_the_speed_is_full_and_at_twice_the_budget_half() -> None:
    assert speed_factor({1: 5.0, 2: 29.0, 3: 0.001}) == 1.0
    assert speed_factor({1: 10.0, 2: 30.0, 3: 300.0}) == pytest.approx(2.5 / 3)
    assert speed_factor({1: 10.0, 2: 60.0, 3: 600.0}) == pytest.approx(0.5)
    assert speed_factor({1: 5.0, 2: 30.0, 3: 1200.0}) == pytest.approx(2.25 / 3)


def test_negative_control_a_tier_without_a_time_gives_no_speed() -> None:
    with pytest.raises(ValueError, match=r"^times of the tiers \[1, 2\]; expected \[1, 2, 3\]$"):
        speed_factor({1: 1.0, 2: 1.0})
    with pytest.raises(ValueError, match="expected"):
        speed_factor({1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0})


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_negative_control_a_time_that_is_none_gives_no_speed(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^-?\w+ s is no time that a run takes$"):
        speed_factor({1: 1.0, 2: bad, 3: 1.0})


def test_a_drop_is_more_than_the_tolerance_and_no_number_is_one() -> None:
    assert not dropped(89.0, 90.0)
    assert dropped(88.9, 90.0)
    assert not dropped(95.0, 90.0)
    assert not dropped(88.0, 90.0, 2.0)
    assert dropped(89.9, 90.0, 0.0)
    assert dropped(math.nan, 90.0)
