"""A canary: a task that must be done, followed through the stages that the model went through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_modelqa.checks.oracles.text import quoted
from pytest_modelqa.checks.shipping.judging import SHOWN_CHARS, Judged, judged
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.shipping import CanaryTrail, StageAnswer
from pytest_modelqa.core.verdict import Verdict
from pytest_modelqa.playbook.gates import CANARY_GATE
from pytest_modelqa.playbook.shipping_values import CanarySpec

_STAGE, _BASELINE = "stage|", "baseline|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Asks every stage, the last of which ships and decides; the others say where it was lost."""

    gate: ClassVar[str] = CANARY_GATE
    category: ClassVar[Category] = Category.REGR

    spec: CanarySpec
    stages: tuple[Cell, ...]
    baseline: Cell | None = None

    @property
    def name(self) -> str:
        """`canary-NAME`."""
        return f"canary-{self.spec.name}"

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """The task, of the cell that ships."""
        return {f"{_STAGE}{cell.artifact.key}": self._ask(cell)}

    def questions(self) -> Mapping[str, tuple[Cell, Request]]:
        """The task, of all stages and the baseline."""
        asked = {f"{_STAGE}{cell.artifact.key}": (cell, self._ask(cell)) for cell in self.stages}
        if self.baseline is not None:
            asked[f"{_BASELINE}{self.baseline.artifact.key}"] = (
                self.baseline,
                self._ask(self.baseline),
            )
        return asked

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """What ships must pass; the trail says how the others did."""
        stages = list(self._heard(answers))
        ours = stages[-1][1]
        theirs = stages[0][1] if self.baseline is not None else None
        trail = CanaryTrail(
            name=self.spec.name,
            group=self.spec.group,
            prompt=self.spec.prompt[:SHOWN_CHARS],
            stages=tuple(_stage(name, found) for name, found in stages),
            lost_at=_lost_at(self._in_order(stages)),
            regression=theirs is not None and theirs.passed and not (ours.passed or ours.missing),
        )
        return Verdict(
            outcome=ours.outcome,
            reason=_told(trail, ours),
            tested=int(not ours.missing),
            detail="" if ours.passed else _side_by_side(stages),
            remedy=ours.remedy,
            trail=trail,
        )

    def _ask(self, cell: Cell) -> Request:
        spec = self.spec
        return cell.ask(spec.prompt, system=spec.system, max_tokens=spec.max_tokens, stop=spec.stop)

    def _heard(self, answers: Mapping[str, Any]) -> Iterator[tuple[str, Judged]]:
        """Every stage by name, the baseline first."""
        if self.baseline is not None:
            key = self.baseline.artifact.key
            yield f"baseline {key}", self._judged(answers.get(f"{_BASELINE}{key}"))
        for cell in self.stages:
            key = cell.artifact.key
            yield key, self._judged(answers.get(f"{_STAGE}{key}"))

    def _in_order(self, stages: list[tuple[str, Judged]]) -> list[tuple[str, Judged]]:
        """As the model was made: a baseline that is a stage stands there, and not before all."""
        keys = {cell.artifact.key for cell in self.stages}
        is_stage = self.baseline is not None and self.baseline.artifact.key in keys
        return stages[1:] if is_stage else stages

    def _judged(self, answer: Any) -> Judged:
        return judged(self.spec.oracle, self.spec.prompt, answer)


def _stage(name: str, found: Judged) -> StageAnswer:
    return StageAnswer(
        stage=name,
        passed=None if found.missing else found.passed,
        reason=found.reason,
        answer=found.answer[:SHOWN_CHARS],
    )


def _lost_at(stages: Sequence[tuple[str, Judged]]) -> str:
    """The first stage that fails after one that passed; what gave no answer says nothing."""
    passed = False
    for name, found in stages:
        if passed and not found.passed and not found.missing:
            return name
        passed = passed or found.passed
    return ""


def _told(trail: CanaryTrail, ours: Judged) -> str:
    found = [ours.reason]
    if trail.regression:
        found.append("a regression: the baseline passes")
    if trail.lost_at and ours.passed:
        found.append(f"lost at {trail.lost_at}, and found again")
    elif trail.lost_at:
        found.append(f"lost at {trail.lost_at}")
    if silent := [s.stage for s in trail.stages[:-1] if s.passed is None]:
        found.append(f"no answer of {', '.join(silent)}")
    return "; ".join(found)


def _side_by_side(stages: Sequence[tuple[str, Judged]]) -> str:
    return "\n".join(
        f"{name}: {'passes' if found.passed else found.outcome}: {quoted(found.answer)}"
        for name, found in stages
    )
