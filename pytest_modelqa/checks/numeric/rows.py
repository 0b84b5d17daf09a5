"""Rows of a measurement, judged one by one: neither a missing number nor a missing row passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pytest_modelqa.core.measuring import Measurement, Value
from pytest_modelqa.core.verdict import Outcome, Part, Verdict, inconclusive

Row = Mapping[str, Value]
Judge = Callable[[Row], Part]

_SHOWN = 50
"""Rows that a verdict's detail lists."""


def rows_of(answers: Mapping[str, Any]) -> list[Row]:
    """The rows of the one measurement that a check of this package asks."""
    measurement: Measurement = answers["rows"]
    return list(measurement.tables)


def number(row: Row, key: str) -> float:
    """A number of a row; NaN where there is none, so that no comparison holds."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    return value


def text(row: Row, key: str) -> str:
    """A text of a row; empty where there is none."""
    value = row.get(key)
    return value if isinstance(value, str) else ""


def sound(row: Row, reason: str) -> Part:
    """A row that agrees with what is claimed."""
    return Part(name=text(row, "name"), outcome=Outcome.CORROBORATED, reason=reason)


def wrong(row: Row, reason: str) -> Part:
    """A row that refutes the claim."""
    return Part(name=text(row, "name"), outcome=Outcome.FALSIFIED, reason=reason)


def undecided(row: Row, reason: str) -> Part:
    """A row that is not enough to decide."""
    return Part(name=text(row, "name"), outcome=Outcome.INCONCLUSIVE, reason=reason)


def judged(
    rows: Sequence[Row], judge: Judge, *, missing: Iterable[str] = (), summary: str, remedy: str
) -> Verdict:
    """All rows as one verdict: falsified by any, undecided by any, else corroborated.

    `missing` names what was asked and has no row; `remedy` is what helps where nothing was decided.
    """
    if not rows:
        return inconclusive("the measurement gave no row: nothing was tested", remedy=remedy)
    names = [text(row, "name") for row in rows]
    parts = [
        _unnamed(at, row) if not names[at] or names[at] in names[:at] else judge(row)
        for at, row in enumerate(rows)
    ]
    parts += [
        Part(name=name, outcome=Outcome.INCONCLUSIVE, reason="was asked, and has no row")
        for name in missing
    ]
    return _joined(tuple(parts), summary, remedy)


def _unnamed(at: int, row: Row) -> Part:
    said = text(row, "name")
    reason = f"a second row has the name {said!r}" if said else "the row has no name"
    return Part(name=f"row {at}", outcome=Outcome.FALSIFIED, reason=reason)


def _joined(parts: tuple[Part, ...], summary: str, remedy: str) -> Verdict:
    by = {
        outcome: [p for p in parts if p.outcome is outcome]
        for outcome in (Outcome.FALSIFIED, Outcome.INCONCLUSIVE, Outcome.CORROBORATED)
    }
    for outcome in (Outcome.FALSIFIED, Outcome.INCONCLUSIVE):
        if told := by[outcome]:
            lines = [f"{p.name}: {p.reason}" for p in told]
            more = f" (and {len(lines) - 1} more of {len(parts)})" if len(lines) > 1 else ""
            return Verdict(
                outcome=outcome,
                reason=f"{lines[0]}{more}",
                tested=len(by[Outcome.FALSIFIED]) + len(by[Outcome.CORROBORATED]),
                detail="\n".join(lines[:_SHOWN]),
                remedy=remedy if outcome is Outcome.INCONCLUSIVE else "",
                parts=parts,
            )
    return Verdict(outcome=Outcome.CORROBORATED, reason=summary, tested=len(parts), parts=parts)
