"""Hostile input made from the model's own file and sizes: refused with our error, never a crash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from pytest_modelqa.checks.numeric.rows import (
    Row,
    judged,
    number,
    rows_of,
    sound,
    text,
    undecided,
    wrong,
)
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.measuring import Option, measure
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import Part, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzz:
    """F-FUZZ: a row has a `target`, its `iterations`, and how many `violations` and `crashes`."""

    category: ClassVar[Category] = Category.STAB

    name: str = "fuzz"
    gate: str = "F-FUZZ"
    targets: tuple[str, ...] = ()
    iterations: int = 1000
    max_seconds: float = 60.0
    seed: int = 0

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """One measurement of all targets; no engine opens the model for it."""
        options: dict[str, Option] = {
            "targets": ",".join(self.targets),
            "iterations": self.iterations,
            "max_seconds": self.max_seconds,
            "seed": self.seed,
        }
        return {"rows": measure("fuzz", options, budget_s=self.max_seconds)}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by any violation or crash; undecided by too few iterations."""
        rows = rows_of(answers)
        told = {text(row, "target") for row in rows}
        ran = sum(int(number(row, "iterations")) for row in rows if number(row, "iterations") > 0)
        return judged(
            rows,
            partial(_judge_row, self.iterations),
            missing=[target for target in self.targets if target not in told],
            summary=f"{ran:,} inputs to {', '.join(sorted(told))}: no violation, no crash",
            remedy="raise fuzz.max_seconds, or lower fuzz.iterations",
        )


def _judge_row(wanted: int, row: Row) -> Part:
    violations, crashes = number(row, "violations"), number(row, "crashes")
    ran = number(row, "iterations")
    if not (violations == 0 and crashes == 0):
        example = text(row, "example")
        said = f"{_count(violations)} violations, {_count(crashes)} crashes in {_count(ran)} inputs"
        return wrong(row, f"{said}, such as {example}" if example else said)
    if not ran >= wanted:
        return undecided(row, f"{_count(ran)} of {wanted:,} inputs were tried")
    return sound(row, f"{_count(ran)} inputs, no violation, no crash")


def _count(value: float) -> str:
    return f"{int(value):,}" if value == value else "an unknown number of"  # noqa: PLR0124 - NaN
