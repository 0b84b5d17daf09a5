"""The score of a record, as reports show it. `pytest_modelqa.decision.score` computes it."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.shipping import ShipDecision
from pytest_modelqa.core.verdict import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryPoints:
    """One part of the score; `undecided` counts inconclusive, unavailable and not run cases."""

    name: str
    weight: int
    low: float
    high: float
    planned: int
    corroborated: int
    failed: int
    undecided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """Points taken off both ends of the score, for `count` cases with this outcome."""

    outcome: Outcome
    count: int
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """A gateway of a cell; `outcome` is None where it was not run."""

    scope: str
    gate: str
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Points of 1000: `low` were earned, `high` is what undecided cases could still make of it.

    `grade` and `grade_high` are the grades of the two ends. `missing` says, in sentences, what a
    status above Development Only still needs.
    """

    low: float
    high: float
    grade: str
    grade_high: str
    status: str
    incomplete: bool
    decided: int
    planned: int
    categories: tuple[CategoryPoints, ...]
    penalties: tuple[Penalty, ...]
    gateways: tuple[GatewayState, ...]
    missing: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """The share of planned cases that were decided, 0 to 1; 0 where nothing was planned."""
        return self.decided / self.planned if self.planned else 0.0

    @property
    def grades(self) -> str:
        """`B+`, or `F..B+` where the two ends differ."""
        same = self.grade == self.grade_high
        return self.grade if same else f"{self.grade}..{self.grade_high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A record and all that was decided of it; `ship` is None where its playbook has no gates."""

    record: RunRecord
    score: Score
    ship: ShipDecision | None = None
