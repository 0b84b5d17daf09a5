"""Gradients of the model's own architecture, made small, against central differences in float64."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    wrong,
)
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.measuring import Option, measure
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import Part, Verdict

BOUND = 1e-6
"""Largest relative error of a gradient in float64; the differences are good to about 1e-9."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradients:
    """F-GRADIENTS: every parameter of the `layers`, their input, and the loss of the whole model.

    A row has `part` ("layer 0", "loss"), `relative_error`, `absolute_error`, `largest` (derivative,
    of either side) and `resolution`: the absolute error that the differences themselves may have.
    """

    category: ClassVar[Category] = Category.STAB

    name: str = "gradients"
    gate: str = "F-GRADIENTS"
    layers: tuple[int, ...] = (0,)
    max_relative_error: float = BOUND
    max_seconds: float = 300.0
    seed: int = 0

    @property
    def parts(self) -> tuple[str, ...]:
        """What must have rows."""
        return (*(f"layer {n}" for n in self.layers), "loss")

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """One measurement; no engine opens the model for it."""
        options: dict[str, Option] = {"layers": ",".join(map(str, self.layers)), "seed": self.seed}
        return {"rows": measure("gradients", options, budget_s=self.max_seconds)}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by any gradient beyond the bound, by NaN, and by one that nothing states.

        A derivative that vanishes on both sides is no evidence: a part that has no other is not
        decided.
        """
        rows = rows_of(answers)
        scales = {part: _scale(rows, part) for part in self.parts}
        worst = max((number(row, "relative_error") for row in rows if _seen(row)), default=math.nan)
        return judged(
            rows,
            partial(self._judge_row, scales),
            missing=[part for part, scale in scales.items() if not scale > 0],
            summary=f"{len(rows)} gradients agree with central differences in float64, largest "
            f"relative error {worst:.1e}{_vanishing(rows)}",
            remedy="python -m pytest suites/gradients",
        )

    def _judge_row(self, scales: Mapping[str, float], row: Row) -> Part:
        relative, absolute = number(row, "relative_error"), number(row, "absolute_error")
        largest = number(row, "largest")
        said = f"relative error {relative:.1e}, absolute {absolute:.1e}"
        if not (math.isfinite(absolute) and math.isfinite(largest)):
            return wrong(row, f"the gradient or the differences are not finite: {said}")
        if relative <= self.max_relative_error:
            return sound(row, said)
        unseen = self.max_relative_error * scales.get(text(row, "part"), 0.0)
        if absolute <= min(number(row, "resolution"), unseen):
            return sound(row, f"no larger than differences can tell: {said}")
        where = text(row, "worst")
        return wrong(
            row,
            f"{said}; {self.max_relative_error:.0e} is allowed{f'; {where}' if where else ''}",
        )


def _scale(rows: Sequence[Row], part: str) -> float:
    """The largest derivative of a part; 0 where it has none that is finite and not zero."""
    found = [number(row, "largest") for row in rows if text(row, "part") == part]
    return max((value for value in found if 0 < value < math.inf), default=0.0)


def _seen(row: Row) -> bool:
    """Whether the derivative is larger than what differences can tell."""
    return number(row, "absolute_error") > 0 and number(row, "largest") > number(row, "resolution")


def _vanishing(rows: Sequence[Row]) -> str:
    gone = [text(row, "name") for row in rows if not _seen(row)]
    return f"; the derivative is zero of {', '.join(gone)}" if gone else ""
