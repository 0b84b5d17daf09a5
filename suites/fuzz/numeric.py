"""Targets that compute: inputs drawn in batches, invariants checked for a whole batch at once."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suites.fuzz.outcome import Failure, Outcome

CASE = "case.json"
BATCH = 2048
"""Iterations that are computed at once, with the same settings: arrays stay in a core's cache, and
50,000 iterations see every setting."""
_PLAIN_INTEGERS = np.dtype(np.int64)
_PLAIN_BELOW = 1 << 16
"""Sizes of 16 bits are drawn as int64, which holds their products. With a larger one among them all
are Python's integers, in a kept case as when they were drawn."""
RAISED = "raises_nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Iterations that share `settings` and differ in `columns`: arrays with a row for each."""

    settings: Mapping[str, Any]
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def case(self, row: int) -> dict[str, Any]:
        """One iteration as JSON-able data."""
        cells = {name: column[row].tolist() if hasattr(column[row], "tolist") else column[row]
                 for name, column in self.columns.items()}  # fmt: skip
        return {"settings": dict(self.settings), "columns": cells}

    @staticmethod
    def of(case: Mapping[str, Any]) -> Batch:
        """A batch of one iteration that was kept."""
        cells = case["columns"]
        whole = [cell for cell in cells.values() if isinstance(cell, int)]
        exact = any(abs(cell) >= _PLAIN_BELOW for cell in whole)
        columns = {name: _column(cell, exact=exact) for name, cell in cells.items()}
        return Batch(settings=case["settings"], columns=columns)


def _column(cell: Any, *, exact: bool) -> NDArray[Any]:
    """One row: floats of a tensor as float32, whole numbers as int64 or as Python's own."""
    if isinstance(cell, list):
        return np.array([cell], dtype=np.float32)
    return np.array([cell], dtype=object if exact else _PLAIN_INTEGERS)


@dataclass(slots=True)
class Tally:
    """Counts every invariant, and keeps the first case that broke each."""

    checked: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    first: dict[str, tuple[int, str, dict[str, Any]]] = field(default_factory=dict)
    done: int = 0

    def must(self, name: str, batch: Batch, holds: Any, told: Callable[[int], str]) -> None:
        """Check an invariant: `holds` has a truth value a row; `told` says what broke it."""
        rows = np.asarray(holds, dtype=bool)
        self.checked[name] += rows.size
        wrong = np.flatnonzero(~rows)
        if wrong.size:
            row = int(wrong[0])
            self.broken[name] += int(wrong.size)
            self.first.setdefault(name, (self.done + row, told(row), batch.case(row)))

    def equal(self, name: str, batch: Batch, found: Any, expected: Any) -> None:
        """Whole numbers that must be the same, exactly."""
        one, two = np.broadcast_arrays(np.asarray(found), np.asarray(expected))
        self.must(name, batch, np.asarray(one == two), lambda r: f"{one[r]}, not {two[r]}")

    def one(self, name: str, batch: Batch, row: int, holds: bool, told: str) -> None:
        """Check an invariant of a single row."""
        self.checked[name] += 1
        if not holds:
            self.broken[name] += 1
            self.first.setdefault(name, (self.done + row, told, batch.case(row)))


Draw = Callable[[np.random.Generator, int], Batch]
Check = Callable[[Batch, Tally], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """A target: how inputs are drawn, and what must hold of the answers."""

    name: str
    draw: Draw
    check: Check


def fuzz(target: Numeric, iterations: int, seed: int) -> Outcome:
    """Draw and check so many iterations; the same seed draws the same ones."""
    tally = Tally()
    start = time.perf_counter()
    source = np.random.default_rng([seed, *target.name.encode()])
    while tally.done < iterations:
        batch = target.draw(source, min(BATCH, iterations - tally.done))
        examine(target, batch, tally)
        tally.done += len(batch)
    return Outcome(
        target=target.name,
        iterations=tally.done,
        seed=seed,
        seconds=time.perf_counter() - start,
        checked=dict(tally.checked),
        notes=dict(tally.notes),
        failures=failures_of(tally),
    )


def examine(target: Numeric, batch: Batch, tally: Tally) -> None:
    """Check a batch. What is raised meanwhile is a defect too, of the first row that raises it."""
    try:
        target.check(batch, tally)
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        known = RAISED in tally.first
        row, told = (0, _told(error)) if known else _guilty(target, batch, error)
        tally.one(RAISED, batch, row, False, told)
    else:
        tally.checked[RAISED] += len(batch)


def _guilty(target: Numeric, batch: Batch, error: Exception) -> tuple[int, str]:
    """The first row that raises when it is checked as a kept case is, and what it raises."""
    for row in range(len(batch)):
        if alone := _raised(target, Batch.of(batch.case(row))):
            return row, alone
    return 0, f"{_told(error)} (by {len(batch)} rows together, by none alone)"


def _raised(target: Numeric, batch: Batch) -> str:
    """What checking a batch raises, or nothing; what else it breaks is not counted again."""
    try:
        target.check(batch, Tally())
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return _told(error)
    return ""


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error!s:.300}"


def replay(target: Numeric, case: Mapping[str, Any]) -> tuple[Failure, ...]:
    """Check a kept case again."""
    tally = Tally()
    examine(target, Batch.of(case), tally)
    return failures_of(tally)


def failures_of(tally: Tally) -> tuple[Failure, ...]:
    """What broke, the first case of each invariant."""
    return tuple(
        Failure(
            kind=name,
            place="value",
            detail=told,
            index=index,
            count=tally.broken[name],
            files={CASE: (json.dumps(case) + "\n").encode()},
        )
        for name, (index, told, case) in tally.first.items()
    )
