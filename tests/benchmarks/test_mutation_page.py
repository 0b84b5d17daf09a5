"""The mutation run's page: its rates are promises, and every survivor has a reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutation import AREAS, FOUND
from benchmarks.mutation_page import KILL_RATE, PROMISED, page
from benchmarks.mutation_survivors import REASONS, UNKNOWN, reason

ROOT = Path(__file__).parents[2]
WRITTEN = (ROOT / "docs" / "mutation_run.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| ([a-z ]+) \| \d+ \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+)% \|", re.MULTILINE
)
SURVIVOR = {
    "mutant": "pytest_modelqa.stats.x_wilson__mutmut_58",
    "status": "survived",
    "before": "high = min(1.0, centre + half)",
    "after": "high = min(2.0, centre + half)",
}


def body(**area: Any) -> dict[str, Any]:
    made = {
        "name": "scoring", "made": "2026-01-02", "files": ["a.py"], "mutants": 1000,
        "tested": 1000, "killed": 999, "survivors": [SURVIVOR],
    }  # fmt: skip
    return {"tool": "mutmut 3", "expected": {"scoring": ["a.py"]}, "areas": [made | area]}


def test_what_is_promised_was_measured() -> None:
    rows = {name: numbers for name, *numbers, _ in ROW.findall(WRITTEN)}
    for area in PROMISED:
        mutants, tested, killed = (int(n.replace(",", "")) for n in rows[area])
        assert tested == mutants, f"python -m benchmarks.mutation --area {area}"
        assert killed / tested >= KILL_RATE, area


def test_every_survivor_was_looked_at() -> None:
    assert UNKNOWN not in WRITTEN


def test_every_area_mutates_files_that_are_here() -> None:
    assert {*PROMISED} <= {area.name for area in AREAS}
    for area in AREAS:
        for pattern in (*area.files, *area.tests):
            assert list(ROOT.glob(pattern)), pattern


def test_a_page_has_the_rate_and_the_change() -> None:
    made = page(body())
    assert ROW.findall(made) == [("scoring", "1,000", "1,000", "999", "99.9")]
    assert "`stats.wilson`" in made
    assert "`high = min(2.0, centre + half)`" in made
    assert reason(SURVIVOR) in made


def test_negative_control_a_survivor_that_nobody_looked_at_says_so() -> None:
    assert reason(SURVIVOR | {"after": "high = 3"}) == UNKNOWN
    assert UNKNOWN in page(body(survivors=[SURVIVOR | {"after": "high = 3"}]))


@pytest.mark.parametrize("status", ["survived", "no tests", "not checked", "suspicious", "skipped"])
def test_negative_control_only_a_red_test_a_hang_or_a_crash_is_found(status: str) -> None:
    assert status not in FOUND


def test_no_reason_is_empty() -> None:
    assert all(len(why) > 10 for why in REASONS.values())
