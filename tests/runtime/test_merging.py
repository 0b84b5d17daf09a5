"""Several processes write the evidence of one run; together they are one record."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_modelqa.core.wire import encode
from pytest_modelqa.runtime.merge import covered, records
from tests.reports.records import healthy


def process(*, ends: bool) -> list[dict[str, Any]]:
    """What a process writes that runs no case."""
    record = healthy()
    lines: list[dict[str, Any]] = [
        {"type": "run", "run": encode(record.run), "planned": [encode(c) for c in record.planned]}
    ]
    if ends:
        lines.append({"type": "end", "ended": "2026-01-02T03:04:09Z", "interrupted": False})
    return lines


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_negative_a_run_is_cut_off_where_one_of_its_processes_is(first: bool, second: bool) -> None:
    (record,) = records([*process(ends=first), *process(ends=second)])
    assert record.run.interrupted is not (first and second)


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0.0),
        ([(0, 2), (5, 6)], 3.0),
        ([(0, 4), (1, 2), (3, 6)], 6.0),
        ([(10, 12), (0, 4), (2, 4)], 6.0),
    ],
)
def test_what_two_workers_answer_at_a_time_counts_once(
    spans: list[tuple[float, float]], seconds: float
) -> None:
    assert covered(spans) == seconds


def test_the_engines_time_is_that_of_fresh_answers_of_every_process() -> None:
    """Two processes side by side: 3 s and 2 s that overlap by one; what was taken over has none."""
    times = [("09.500", 3.0, False), ("10.500", 2.0, False), ("08.000", 5.0, True)]
    lines = [answer(f"2026-01-02T03:04:{end}Z", took, resumed) for end, took, resumed in times]
    (record,) = records([*process(ends=True), lines[0], *process(ends=True), *lines[1:]])
    assert record.engine_s == pytest.approx(4.0)
    assert record.resumed == 1


def answer(time: str, seconds: float, resumed: bool) -> dict[str, Any]:
    return {"type": "answer", "key": time, "seconds": seconds, "resumed": resumed, "time": time}
