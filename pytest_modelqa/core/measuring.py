"""Measurements that another package makes of an artifact: what is asked, and the rows that come.

Numbers only: which of them are right is for a check to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Option = str | int | float | bool
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One option; numbers are finite."""

    name: str
    value: Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Run the measurement that entry-point group `modelqa.measurements` has under `name`.

    `budget_s` is what it may take beyond the time-out of an ordinary request, in seconds.
    """

    name: str
    options: tuple[Given, ...] = ()
    budget_s: float = 0.0

    def __post_init__(self) -> None:
        numbers = [self.budget_s, *(g.value for g in self.options if isinstance(g.value, float))]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"an option of {self.name} is not finite: {self.options}")

    @property
    def arguments(self) -> dict[str, Option]:
        """The options by name."""
        return {given.name: given.value for given in self.options}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One value of a row; NaN and Inf are allowed."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRow:
    """One thing that was measured."""

    values: tuple[Measured, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """All rows, in the order in which they were measured."""

    rows: tuple[MeasuredRow, ...]

    @property
    def tables(self) -> list[dict[str, Value]]:
        """The rows as mappings of name to value."""
        return [{each.name: each.value for each in row.values} for row in self.rows]


def measure(name: str, options: Mapping[str, Option], *, budget_s: float = 0.0) -> Measure:
    """A request of these options, sorted by name: equal options are one request."""
    given = tuple(Given(name=key, value=options[key]) for key in sorted(options))
    return Measure(name=name, options=given, budget_s=budget_s)
