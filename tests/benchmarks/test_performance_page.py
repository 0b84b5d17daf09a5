"""The tables of docs/performance.md: a promise that was not measured is not kept."""

from __future__ import annotations

from math import nan

import pytest

from benchmarks.table import (
    Line,
    at_least,
    begin,
    below,
    end,
    middle,
    ratio,
    steady,
    table,
    verdict,
    with_section,
)


def line(value: float | None, *, lower: bool = True) -> Line:
    return Line(what="ours | theirs", value=value, promise=at_least(0.9) if lower else below(0.6))


@pytest.mark.parametrize(
    ("value", "lower", "said"),
    [
        (0.9, True, "met"),
        (0.899, True, "**not met**"),
        (0.59, False, "met"),
        (0.6, False, "**not met**"),
        (None, True, "not measured"),
        (nan, True, "**not met**"),
        (nan, False, "**not met**"),
    ],
)
def test_a_promise_is_met_at_its_bound_and_by_no_missing_number(
    value: float | None, lower: bool, said: str
) -> None:
    assert verdict(line(value, lower=lower)) == said


def test_a_number_without_a_promise_has_no_verdict() -> None:
    assert verdict(Line(what="seconds", value=3.0)) == ""


def test_a_median_needs_every_repeat() -> None:
    assert middle([{"s": 3.0}, {"s": 1.0}, {"s": 2.0}], "s") == 2.0
    assert middle([{"s": 3.0}, {"failed": "no"}], "s") is None
    assert middle([], "s") is None


def test_values_that_scatter_more_than_the_bound_have_no_median() -> None:
    assert steady([10.0, 12.0] * 9 + [11.0, 500.0], 200.0) == 11.5
    assert steady([10.0, 12.0] * 9 + [11.0, 500.0], 1.0) is None
    assert steady([-600.0, 12.0, 500.0], 30.0) is None


def test_a_ratio_to_nothing_is_none() -> None:
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(3.0, 0.0) is None
    assert ratio(None, 2.0) is None


def test_cells_cannot_break_the_table() -> None:
    rows = table([line(0.95), line(None)]).splitlines()
    assert len(rows) == 4
    assert rows[2] == r"| ours \| theirs | 0.95 | ≥ 0.90 | met |  |"
    assert "not measured" in rows[3]


def test_one_section_is_replaced_and_the_others_stay() -> None:
    page = f"# Title\n{begin('a')}\nold\n{end('a')}\ntext\n{begin('b')}\nkept\n{end('b')}\n"
    changed = with_section(page, "a", "new\n")
    assert f"{begin('a')}\nnew\n{end('a')}" in changed
    assert "old" not in changed
    assert changed.endswith(f"text\n{begin('b')}\nkept\n{end('b')}\n")


def test_a_page_without_the_section_is_an_error() -> None:
    with pytest.raises(ValueError, match="no section c"):
        with_section("# Title\n", "c", "new")
