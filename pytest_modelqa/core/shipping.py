"""Ship gates and canaries as values: what a gate demands, what was found, what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GateKind = Literal["ship", "quality"]
"""A ship gate that fails blocks; a quality gate counts in the overall score alone."""

Metric = Literal["rate", "f1"]
State = Literal["cleared", "blocked", "inconclusive"]
Role = Literal["", "ship", "quality", "canary"]
"""What a case is to the decision; empty: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a gate asks: `metric` at least `threshold`, from 0 to 1.

    Without `confidence` the point estimate decides, as in the seed; with it the exact one-sided
    bound at that confidence.
    """

    kind: GateKind
    metric: Metric
    threshold: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipPolicy:
    """What a decision asks besides the gates.

    `artifact` is the key of what ships, `min_overall` the least mean of the harnesses' metrics;
    `candidate` is the name under `models:` that was chosen, empty where there is one model.
    """

    artifact: str
    min_overall: float
    candidate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Counts of a two-class harness; an answer that fits neither class counts against the gate."""

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Candidate against baseline on the same prompts.

    `lost` passed with the baseline alone, `won` with the candidate alone. `p_value` is McNemar's
    exact one, two-sided; `lower` bounds candidate - baseline from below.
    """

    both: int
    lost: int
    won: int
    neither: int
    p_value: float
    lower: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """What was measured of one demand, on `n` answers of which `passed` were right.

    `value` is the metric; `low` and `high` are Wilson's 95 % interval; `lower` is the exact bound,
    one-sided, at the demand's confidence or 95 %. Of F1 all four are of the F1.
    `needed` answers in all would decide an inconclusive one (None: none would, or it is decided).
    """

    demand: Demand
    n: int
    passed: int
    value: float
    low: float
    high: float
    lower: float
    state: State
    needed: int | None = None
    confusion: Confusion | None = None
    paired: Paired | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageAnswer:
    """What one stage of the pipeline said to a canary. `passed` is None where nothing came."""

    stage: str
    passed: bool | None
    reason: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryTrail:
    """A canary through the stages, baseline first where there is one.

    `lost_at` names the first stage that fails after one that passed.
    """

    name: str
    group: str
    prompt: str
    stages: tuple[StageAnswer, ...]
    lost_at: str = ""
    regression: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessLine:
    """A harness in the decision. `value` is None where nothing was measured: that blocks."""

    case_id: str
    name: str
    kind: GateKind
    value: float | None
    threshold: float
    passed: bool
    state: State
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipDecision:
    """CLEARED or BLOCKED, with every reason. `overall` is the mean of the harnesses' metrics."""

    cleared: bool
    reasons: tuple[str, ...]
    harnesses: tuple[HarnessLine, ...]
    overall: float | None
    min_overall: float
    canaries: int
    canaries_passed: int

    @property
    def word(self) -> str:
        """CLEARED or BLOCKED."""
        return "CLEARED" if self.cleared else "BLOCKED"
