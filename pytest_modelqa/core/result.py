"""A case that ended: what reports, score and decision are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_modelqa.core.check import FailurePolicy
from pytest_modelqa.core.model import Mode
from pytest_modelqa.core.shipping import Role, ShipPolicy
from pytest_modelqa.core.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCase:
    """A case as reports know it: no check, no engine, plain data."""

    id: str
    scope: str
    name: str
    gate: str
    category: str
    severity: str
    tier: int
    is_gateway: bool
    mode: Mode = "exact"
    role: Role = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """A verdict with what it took: engine seconds, generated tokens and their decoding seconds.

    An answer that several cases share is charged to the first of them. `evidence` holds the keys
    of the answers that were judged.
    `artifact_sha256` is empty where no artifact was reached.
    """

    case: PlannedCase
    verdict: Verdict
    seconds: float
    generated_tokens: int = 0
    decode_s: float = 0.0
    artifact_sha256: str = ""
    evidence: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What a run was: one per process that ran cases. Times are ISO 8601 in UTC.

    `modes` are those that its cases are answered in: exact, fast. `ship` is set where the playbook
    has ship gates, and so ends in a decision.
    """

    id: str
    playbook: str
    playbook_sha256: str
    model: str
    revision: str
    seed: int
    modes: tuple[str, ...]
    failure_policy: FailurePolicy
    started: str
    ended: str
    versions: dict[str, str]
    machine: dict[str, str]
    strict: bool
    interrupted: bool = False
    ship: ShipPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactInfo:
    """An artifact as reports know it; `synthetic` where a script answers instead of a model."""

    key: str
    sha256: str
    bytes: int
    pinned: bool
    source: str
    synthetic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One playbook's merged evidence: everything a report needs, from one or several runs.

    `incidents` are deaths of workers that no request could be blamed for. `engine_s` are the
    seconds in which at least one worker answered what the runs asked themselves, `resumed` counts
    the answers that they took from earlier evidence.
    """

    run: RunInfo
    planned: tuple[PlannedCase, ...]
    results: tuple[CaseResult, ...]
    artifacts: tuple[ArtifactInfo, ...]
    answers: int
    incidents: tuple[str, ...] = ()
    engine_s: float = 0.0
    resumed: int = 0
