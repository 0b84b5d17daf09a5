"""docs/shipping.md against the code: the table of verdicts, and the files that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_modelqa.core.errors import ExitCode
from pytest_modelqa.core.shipping import Demand
from pytest_modelqa.reports.shipping.shares import percent
from pytest_modelqa.stats.gates import measured

PAGE = Path(__file__).parents[2].joinpath("docs", "shipping.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) of (\d+) \| (\S+ %) \| (\S+ %) \| (\w+) \| (.+) \|$", PAGE, re.M)


def test_the_table_has_its_rows() -> None:
    assert len(ROWS) == 7


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} of {row[1]}")
def test_a_row_is_what_the_code_says(row: tuple[str, ...]) -> None:
    passed, n, value, lower, by_value, by_bound = row
    point = Demand(kind="ship", metric="rate", threshold=0.95)
    bound = Demand(kind="ship", metric="rate", threshold=0.95, confidence=0.95)
    first = measured(point, passed=int(passed), n=int(n))
    second = measured(bound, passed=int(passed), n=int(n))
    assert (percent(first.value), percent(first.lower), first.state) == (value, lower, by_value)
    assert by_bound.startswith(second.state)
    if second.needed:
        assert f"{second.needed} answers would decide" in by_bound


def test_the_codes_are_those_of_the_table() -> None:
    assert f"{ExitCode.BLOCKED.value}: BLOCKED though no item failed" in PAGE
    assert f"{ExitCode.NOTHING_RAN.value}: nothing was decided at all" in PAGE
