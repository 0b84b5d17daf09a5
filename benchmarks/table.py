"""What is measured against what was promised: medians, and the tables of docs/performance.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, sqrt
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A bound that a number must keep; both ends count as kept, except a strict upper one."""

    bound: float
    at_least: bool

    def kept(self, value: float) -> bool:
        """NaN keeps nothing."""
        return value >= self.bound if self.at_least else value < self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: what was measured, as text where it is no number, and its promise if it has one.

    `value` None says that it was not measured; `note` then says why.
    """

    what: str
    value: float | None
    unit: str = ""
    promise: Promise | None = None
    note: str = ""


def at_least(bound: float) -> Promise:
    """The measured number is this or more."""
    return Promise(bound=bound, at_least=True)


def below(bound: float) -> Promise:
    """The measured number is less than this."""
    return Promise(bound=bound, at_least=False)


def middle(rows: Sequence[dict[str, Any]], key: str) -> float | None:
    """The median of `key` over repeats, or None where one of them was not measured."""
    values = [row.get(key) for row in rows]
    if not values or any(v is None for v in values):
        return None
    return float(median(v for v in values if v is not None))


def steady(values: Sequence[float], most: float) -> float | None:
    """The median, or None where its 95 % interval is wider than `most`.

    A difference of two long times tells nothing about a short one when neighbours disturb both. The
    interval is that of order statistics: the binomial's normal approximation, no distribution of
    the values.
    """
    ranked, n = sorted(values), len(values)
    at = max(0, floor((n - 1.96 * sqrt(n)) / 2))
    return median(ranked) if ranked[n - 1 - at] - ranked[at] <= most else None


def why_not(rows: Sequence[dict[str, Any]]) -> str:
    """What a way that was not measured said."""
    return next((str(row["failed"]) for row in rows if "failed" in row), "")


def ratio(over: float | None, under: float | None) -> float | None:
    """Their quotient, or None where one is missing."""
    return None if over is None or not under else over / under


def verdict(line: Line) -> str:
    """`met`, `not met`, `not measured`, or nothing where nothing was promised."""
    if line.promise is None:
        return "" if line.value is not None else "not measured"
    if line.value is None:
        return "not measured"
    return "met" if line.promise.kept(line.value) else "**not met**"


def table(lines: Sequence[Line]) -> str:
    """A markdown table: what, measured, promised, verdict, note."""
    rows = ["| what | measured | promised | | note |", "|---|---:|---:|---|---|"]
    for line in lines:
        cells = (line.what, _number(line.value, line.unit), _promised(line), verdict(line))
        rows.append("| " + " | ".join(_cell(c) for c in (*cells, line.note)) + " |")
    return "\n".join(rows)


def _promised(line: Line) -> str:
    if line.promise is None:
        return ""
    sign = "≥" if line.promise.at_least else "<"
    return f"{sign} {_number(line.promise.bound, line.unit)}"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    if abs(value) < 0.1 and value:
        digits = 3
    return f"{value:.{digits}f} {unit}".strip()


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("|", "\\|"))


def begin(name: str) -> str:
    """The line before a generated section."""
    return f"<!-- {name}: begin -->"


def end(name: str) -> str:
    """The line after it."""
    return f"<!-- {name}: end -->"


def with_section(page: str, name: str, text: str) -> str:
    """The page with the text between the section's markers. Raises ValueError without these."""
    head, found, rest = page.partition(begin(name))
    _, found_end, tail = rest.partition(end(name))
    if not found or not found_end:
        raise ValueError(f"the page has no section {name}")
    return f"{head}{begin(name)}\n{text.strip()}\n{end(name)}{tail}"
