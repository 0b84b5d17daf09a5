"""Several processes write the evidence of one run; together they are one record."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_modelqa.core.wire import encode
from pytest_modelqa.runtime.merge import records
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
