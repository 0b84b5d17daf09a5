"""The use case: ask what the selected cases need, cell by cell, judge, and stop by policy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.answer import Failure, Generation
from pytest_modelqa.core.check import Case, Severity
from pytest_modelqa.core.errors import Refused, Unavailable
from pytest_modelqa.core.ids import content_key
from pytest_modelqa.core.model import Artifact, ArtifactSpec, Cell
from pytest_modelqa.core.request import Inspect, Request
from pytest_modelqa.core.result import ArtifactInfo, CaseResult, RunInfo
from pytest_modelqa.core.verdict import Verdict, unavailable, verdict_of_failure
from pytest_modelqa.core.wire import encode
from pytest_modelqa.plan import Plan, absence, planned
from pytest_modelqa.playbook.values import FailurePolicy
from pytest_modelqa.runtime.machine import address_space, machine, threads_per_worker, versions
from pytest_modelqa.runtime.pool import Answered, Pool
from pytest_modelqa.runtime.protocol import WorkerConfig
from pytest_modelqa.runtime.store import Store

Progress = Callable[[str, int, int, float], None]
"""Called per answer with the cell's id, answers so far, answers in the batch, tokens/s so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    key: str
    answered: Answered


class Qualifier:
    """Runs one playbook's cases. Asks in batches: the gateways of a cell first, then the rest.

    Use as a context manager: leaving it ends the workers and writes the run's last record.
    Raises OutputError when evidence cannot be written.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        *,
        run_id: str,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._plan = plan
        self._strict = strict
        self._progress = progress
        self._selected: tuple[Case, ...] = plan.cases
        self._results: dict[str, CaseResult] = {}
        self._answers: dict[tuple[WorkerConfig, Request], _Recorded] = {}
        self._artifacts: dict[str, Artifact | Failure] = {}
        self._charged: set[str] = set()
        self._blocked_by = ""
        self._store = Store(folder, _unique(run_id))
        limits = plan.playbook.limits
        self._pool = Pool(
            logs=self._store.logs,
            load_timeout_s=limits.load_timeout_s,
            request_timeout_s=limits.request_timeout_s,
            max_loaded_models=limits.max_loaded_models,
        )
        self._store.write(
            {
                "type": "run",
                "run": encode(self._info(run_id)),
                "planned": [encode(planned(c)) for c in plan.cases],
            }
        )

    def select(self, cases: Iterable[Case]) -> None:
        """Batches are made of these cases alone."""
        chosen = {case.id for case in cases}
        self._selected = tuple(c for c in self._plan.cases if c.id in chosen)

    def close(self, *, interrupted: bool = False) -> None:
        """End the workers, write the last record."""
        self._pool.close()
        try:
            self._store.write({"type": "end", "ended": _now(), "interrupted": interrupted})
        finally:
            self._store.close()

    def result(self, case: Case) -> CaseResult:
        """The case's result; asks its batch, and those of earlier phases, when first needed."""
        if case.id not in self._results:
            for earlier in self._before(case):
                self.result(earlier)
            result = self._judged(case)
            self._results[case.id] = result
            self._store.write({"type": "result", "result": encode(result)})
            self._apply_policy(result)
        return self._results[case.id]

    def _before(self, case: Case) -> list[Case]:
        """The cell's selected gateways that come before this case."""
        gateways = [c for c in self._selected if c.is_gateway and c.cell == case.cell]
        return gateways[: gateways.index(case)] if case in gateways else gateways

    def _phase(self, case: Case) -> list[Case]:
        """The selected cases asked together with this one: G0 alone, G1 to G4, the rest."""
        mine = _phase_of(case)
        return [c for c in self._selected if c.cell == case.cell and _phase_of(c) == mine]

    def _judged(self, case: Case) -> CaseResult:
        if self._blocked_by:
            return self._without_evidence(case, unavailable(f"blocked by {self._blocked_by}"))
        if (verdict := absence(case)) is not None:
            return self._without_evidence(case, verdict)
        assert case.cell is not None
        config = self._config(case.cell)
        if isinstance(config, Failure):
            return self._without_evidence(case, verdict_of_failure(config))
        self._ask(config, case.cell, self._phase(case))
        wanted = case.check.requests(case.cell)
        recorded = {name: self._answers[config, request] for name, request in wanted.items()}
        return self._concluded(case, recorded)

    def _concluded(self, case: Case, recorded: Mapping[str, _Recorded]) -> CaseResult:
        answers: dict[str, Any] = {n: r.answered.answer for n, r in recorded.items()}
        failures = [a for a in answers.values() if isinstance(a, Failure)]
        verdict = verdict_of_failure(_worst(failures)) if failures else case.check.judge(answers)
        fresh = [r.answered for r in recorded.values() if r.key not in self._charged]
        self._charged.update(r.key for r in recorded.values())
        generations = [a.answer for a in fresh if isinstance(a.answer, Generation)]
        assert case.cell is not None
        artifact = self._artifacts[case.cell.artifact.key]
        return CaseResult(
            case=planned(case),
            verdict=verdict,
            seconds=sum(a.seconds for a in fresh),
            generated_tokens=sum(len(g.ids) for g in generations),
            decode_s=sum(g.decode_s for g in generations),
            artifact_sha256=artifact.sha256 if isinstance(artifact, Artifact) else "",
            evidence=tuple(r.key for r in recorded.values()),
        )

    def _without_evidence(self, case: Case, verdict: Verdict) -> CaseResult:
        return CaseResult(case=planned(case), verdict=verdict, seconds=0.0)

    def _apply_policy(self, result: CaseResult) -> None:
        policy = self._plan.playbook.failure_policy
        if self._blocked_by or not result.verdict.outcome.failed:
            return
        gateway_down = result.case.severity == Severity.P0 and policy is FailurePolicy.STOP_ON_P0
        if gateway_down or policy is FailurePolicy.STOP_ON_FIRST:
            self._blocked_by = f"{result.case.id} ({policy}): {result.verdict.reason}"

    def _ask(self, config: WorkerConfig, cell: Cell, cases: Iterable[Case]) -> None:
        """Answer what these cases request and nobody answered yet, each distinct request once."""
        wanted = [r for c in cases for r in c.check.requests(cell).values()]
        requests = [r for r in dict.fromkeys(wanted) if (config, r) not in self._answers]
        tokens, seconds = 0, 0.0
        for done, (index, answered) in enumerate(self._pool.answer(config, requests), start=1):
            self._record(config, cell, requests[index], answered)
            if isinstance(answered.answer, Generation):
                tokens += len(answered.answer.ids)
            seconds += answered.seconds
            if self._progress:
                self._progress(cell.id, done, len(requests), tokens / seconds if seconds else 0.0)

    def _record(
        self, config: WorkerConfig, cell: Cell, request: Request, answered: Answered
    ) -> None:
        artifact = self._artifacts[cell.artifact.key]
        sha256 = artifact.sha256 if isinstance(artifact, Artifact) else ""
        engine = _engine(config, request, answered.build)
        key = content_key(encode(request), sha256, engine)
        self._answers[config, request] = _Recorded(key=key, answered=answered)
        self._store.write(
            {
                "type": "answer",
                "key": key,
                "cell": cell.id,
                "artifact_sha256": sha256,
                "engine": engine,
                "request": encode(request),
                "answer": encode(answered.answer),
                "seconds": answered.seconds,
                "time": _now(),
            }
        )

    def _config(self, cell: Cell) -> WorkerConfig | Failure:
        artifact = self._artifact(cell.artifact)
        if isinstance(artifact, Failure):
            return artifact
        limits = self._plan.playbook.limits
        return WorkerConfig(
            engine=cell.engine,
            artifact=artifact.path,
            format=artifact.spec.format,
            backend=cell.backend,
            threads=threads_per_worker(),
            n_ctx=limits.n_ctx,
            arrays=self._store.arrays.absolute(),
            memory_bytes=address_space(limits.memory_mb),
            channel=-1,
        )

    def _artifact(self, spec: ArtifactSpec) -> Artifact | Failure:
        """Provision once. A wrong hash falsifies, an absent file is unavailable."""
        if spec.key not in self._artifacts:
            self._artifacts[spec.key] = self._provisioned(spec)
        return self._artifacts[spec.key]

    def _provisioned(self, spec: ArtifactSpec) -> Artifact | Failure:
        playbook = self._plan.playbook
        siblings = {a.key: a for a in playbook.model.artifacts}
        try:
            artifact = provision(spec, siblings, folder=playbook.path.parent)
        except Refused as error:
            return Failure(
                cause="refused", reason=str(error.what), detail=str(error), remedy=error.remedy
            )
        except Unavailable as error:
            return Failure(
                cause="unavailable", reason=error.what, detail=str(error), remedy=error.remedy
            )
        info = ArtifactInfo(
            key=spec.key,
            sha256=artifact.sha256,
            bytes=artifact.bytes,
            pinned=artifact.pinned,
            source=spec.source,
        )
        self._store.write({"type": "artifact", "artifact": encode(info)})
        return artifact

    def _info(self, run_id: str) -> RunInfo:
        playbook = self._plan.playbook
        return RunInfo(
            id=run_id,
            playbook=_shown(playbook.path),
            playbook_sha256=playbook.sha256,
            model=playbook.model.id,
            revision=playbook.model.revision,
            seed=playbook.seed,
            mode="exact",
            started=_now(),
            ended="",
            versions=versions(),
            machine=machine(),
            strict=self._strict,
        )


def _unique(run_id: str) -> str:
    """A file of its own for each playbook and process; names sort by time."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{now}-{run_id}-{os.getpid()}"


def _shown(path: Path) -> str:
    """Relative to where pytest runs, so that suggested commands work; else the name alone."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name


def _phase_of(case: Case) -> int:
    if not case.is_gateway:
        return 2
    return 0 if case.check.gate == "G0" else 1


def _worst(failures: list[Failure]) -> Failure:
    """A crash tells more than a missing extra."""
    order = ("crashed", "timeout", "error", "refused", "unavailable")
    return min(failures, key=lambda f: order.index(f.cause))


def _engine(config: WorkerConfig, request: Request, build: str) -> dict[str, Any]:
    """What besides request and artifact decides an answer."""
    if isinstance(request, Inspect):
        return {"name": "inspection", "build": versions().get("pytest-modelqa", ""), "settings": {}}
    settings = {
        "backend": config.backend,
        "threads": config.threads,
        "n_ctx": config.n_ctx,
        "dtype": config.dtype,
        "mode": config.mode,
    }
    return {"name": config.engine, "build": build, "settings": settings}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
