"""Examples of a family as pytest's subtests, where pytest has them (from 9.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from pytest_modelqa.core.verdict import Part


@dataclass(frozen=True)
class _Context:
    """What pytest reads of a subtest: its description."""

    msg: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    def _to_json(self) -> dict[str, Any]:
        return asdict(self)


def subtest_reports(
    report: pytest.TestReport, parts: tuple[Part, ...], *, strict: bool
) -> Iterator[pytest.TestReport]:
    """One report for each example, under the id of its item; none with a pytest before 9.0."""
    kind: Any = getattr(pytest, "SubtestReport", None)
    if kind is None:
        return
    for part in parts:
        failed = part.outcome.failed or (part.outcome.undecided and strict)
        text = f"{part.outcome}: {part.reason}"
        skipped = part.outcome.undecided and not strict
        made = kind(
            nodeid=report.nodeid,
            location=report.location,
            keywords=report.keywords,
            outcome="failed" if failed else "skipped" if skipped else "passed",
            longrepr=text if failed else (report.location[0], 1, text) if skipped else None,
            when="call",
        )
        made.context = _Context(msg=part.name)
        yield made
