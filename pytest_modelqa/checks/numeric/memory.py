"""What the planner says the model needs, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

PEAK = 0.15
"""Largest relative difference of a training step's measured peak from the planned one."""

PACKED = 0.01
"""The same for the bytes of weights that are packed in four bits."""

LEAST_PEAK = 64_000_000
"""Bytes of a peak below which nothing is said of it: a process's own memory moves by some millions.

Of ci-light with 64 tokens 16.5 MB were planned, and 13.2 MB measured.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """F-MEMORY: a row has `planned_bytes` and `measured_bytes`, which `approach`, and a `kind`.

    The kind "peak" is of a training step, "packed" of weights in four bits; any other is counted,
    and has to be equal to the byte. `layers` and `tokens` are of the step that is measured.
    """

    category: ClassVar[Category] = Category.STAB

    name: str = "memory"
    gate: str = "F-MEMORY"
    approaches: tuple[str, ...] = ("full", "lora", "qlora")
    max_peak_error: float = PEAK
    max_packed_error: float = PACKED
    layers: int = 4
    tokens: int = 512
    max_seconds: float = 600.0
    seed: int = 0

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """One measurement of all approaches; no engine opens the model for it."""
        options: dict[str, Option] = {
            "approaches": ",".join(self.approaches),
            "layers": self.layers,
            "tokens": self.tokens,
            "seed": self.seed,
        }
        return {"rows": measure("memory", options, budget_s=self.max_seconds)}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by a difference beyond the bound, by a plan of nothing, by what has no number.

        An approach without a row is not decided.
        """
        rows = rows_of(answers)
        told = {text(row, "approach") for row in rows}
        return judged(
            rows,
            self._judge_row,
            missing=[approach for approach in self.approaches if approach not in told],
            summary=f"{len(rows)} plans of memory are what was measured: {', '.join(sorted(told))}",
            remedy="raise memory.tokens; python -m pytest suites/memory checks the planner itself",
        )

    def _judge_row(self, row: Row) -> Part:
        planned, measured = number(row, "planned_bytes"), number(row, "measured_bytes")
        if not (planned > 0 and measured > 0):
            return wrong(row, f"planned {planned} bytes, measured {measured}: one is not there")
        if text(row, "kind") == "peak" and max(planned, measured) < LEAST_PEAK:
            told = f"planned {planned:,.0f} bytes, measured {measured:,.0f}"
            return undecided(row, f"{told}: too small a step to be measured")
        bounds = {"peak": self.max_peak_error, "packed": self.max_packed_error}
        allowed = bounds.get(text(row, "kind"), 0.0)
        error = abs(planned - measured) / measured
        said = f"planned {planned:,.0f} bytes, measured {measured:,.0f}: {error:.1%} apart"
        if error <= allowed:
            return sound(row, said)
        return wrong(row, f"{said}, {allowed:.0%} allowed")
