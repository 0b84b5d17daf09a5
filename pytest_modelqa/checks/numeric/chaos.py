"""Faults planted around the model's own file: each must end as its hypothesis says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_modelqa.checks.numeric.rows import Row, judged, rows_of, sound, text, undecided, wrong
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.measuring import Option, measure
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import Part, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """F-CHAOS: a row has the `outcome` that was seen and the one that is `expected`, as texts."""

    category: ClassVar[Category] = Category.STAB

    name: str = "chaos"
    gate: str = "F-CHAOS"
    faults: tuple[str, ...] = ()
    max_seconds: float = 300.0
    seed: int = 0

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """One measurement of all faults; no engine opens the model for it."""
        options: dict[str, Option] = {"faults": ",".join(self.faults), "seed": self.seed}
        return {"rows": measure("chaos", options, budget_s=self.max_seconds)}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by an outcome that was not expected; undecided by a fault without a row."""
        rows = rows_of(answers)
        told = {text(row, "name") for row in rows}
        return judged(
            rows,
            _judge_row,
            missing=[fault for fault in self.faults if fault not in told],
            summary=f"{len(rows)} faults ended as they should: {', '.join(sorted(told))}",
            remedy="python -m pytest suites/chaos",
        )


def _judge_row(row: Row) -> Part:
    outcome, expected = text(row, "outcome"), text(row, "expected")
    if not expected:
        return undecided(row, f"nothing is expected: {outcome or 'no outcome'}")
    if outcome != expected:
        said = f"ended as {outcome or 'nothing'!r}, expected was {expected!r}"
        detail = text(row, "detail")
        return wrong(row, f"{said}: {detail}" if detail else said)
    return sound(row, f"ended as {outcome!r}")
