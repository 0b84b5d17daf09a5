"""The use case: ask what the selected cases need, cell by cell, judge, and stop by policy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.derivation import for_engine
from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.answer import Failure, Generation
from pytest_modelqa.core.check import Across, Case, is_across, is_adaptive, is_calibrated
from pytest_modelqa.core.errors import Refused, Unavailable
from pytest_modelqa.core.model import Artifact, ArtifactSpec, Cell, Format, Mode
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.result import ArtifactInfo, CaseResult, RunInfo
from pytest_modelqa.core.shipping import ShipPolicy
from pytest_modelqa.core.verdict import Verdict, inconclusive, unavailable, verdict_of_failure
from pytest_modelqa.core.wire import encode
from pytest_modelqa.engines import DEFAULT_ENGINE, engine_table
from pytest_modelqa.plan import Plan, absence, cell_absence, planned, questions, shown
from pytest_modelqa.playbook.values import Playbook
from pytest_modelqa.runtime.answers import Answers, Progress, Recorded, Source, now
from pytest_modelqa.runtime.earlier import Earlier
from pytest_modelqa.runtime.machine import (
    address_space,
    cache_bytes,
    machine,
    threads_per_worker,
    versions,
)
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.protocol import WorkerConfig
from pytest_modelqa.runtime.stopping import Stopping
from pytest_modelqa.runtime.store import Store, read

_MOST_ROUNDS = 1000
"""A check that still asks after so many rounds will not end by itself."""

_DTYPES = {"bf16": "bfloat16"}
"""What an artifact is computed in, where it is not float32."""


class Qualifier:
    """Runs one playbook's cases. Asks in batches: the gateways of a cell first, then the rest.

    Answers are taken from the evidence in the folders `resume`, where it has them. Use as a context
    manager: leaving it ends the workers and writes the run's last record. Raises OutputError when
    evidence cannot be written, UsageError when there is none to resume.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        *,
        run_id: str,
        strict: bool = False,
        resume: Sequence[Path] = (),
        progress: Progress | None = None,
    ) -> None:
        self._plan = plan
        self._threads = threads_per_worker()
        self._strict = strict
        self._phases = _phases(plan.cases)
        self._asked: set[_Place] = set()
        self._results: dict[str, CaseResult] = {}
        self._artifacts: dict[str, Artifact | Failure] = {}
        self._sources: dict[tuple[str, str], Source | Failure] = {}
        self._opened: dict[str, tuple[Path, Format]] = {}
        self._charged: set[str] = set()
        earlier = Earlier(resume)
        self._store = Store(folder, _unique(run_id))
        limits = plan.playbook.limits
        self._pool = Pool(
            logs=self._store.logs,
            load_timeout_s=limits.load_timeout_s,
            request_timeout_s=limits.request_timeout_s,
            request_floor_s=limits.request_floor_s,
            max_loaded_models=limits.max_loaded_models,
        )
        self._answers = Answers(self._pool, self._store, earlier, progress)
        self._stopping = Stopping(
            plan.playbook.failure_policy,
            [case.id for case in plan.cases],
            folder / f"{run_id}-{plan.playbook.sha256[:8]}.stop",
        )
        self._store.write(
            {
                "type": "run",
                "run": encode(self._info(run_id)),
                "planned": [encode(planned(c)) for c in plan.cases],
            }
        )

    def share_cores(self, qualifiers: int) -> None:
        """So many qualifiers run in this process at a time: no more threads than cores in all."""
        self._threads = max(1, threads_per_worker() // qualifiers)

    def select(self, cases: Iterable[Case]) -> None:
        """Batches are made of these cases alone."""
        chosen = {case.id for case in cases}
        self._phases = _phases(c for c in self._plan.cases if c.id in chosen)

    def close(self, *, interrupted: bool = False) -> None:
        """End the workers, write the last record."""
        self._pool.close()
        try:
            self._store.write({"type": "end", "ended": now(), "interrupted": interrupted})
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
            self._stopping.note(result)
        return self._results[case.id]

    def _before(self, case: Case) -> list[Case]:
        """The cell's selected gateways that come before this case."""
        before: list[Case] = []
        for phase in range(_phase_of(case) + 1):
            for gateway in self._phases.get((case.scope, phase, ""), ()):
                if not gateway.is_gateway or gateway is case:
                    return before
                before.append(gateway)
        return before

    def _judged(self, case: Case) -> CaseResult:
        if reason := self._stopping.reason_against(case.id):
            return self._without_evidence(case, unavailable(reason))
        if (verdict := absence(case)) is not None:
            return self._without_evidence(case, verdict)
        if is_across(case.check):
            return self._judged_across(case, case.check)
        assert case.cell is not None
        source = self._source_of(case.cell, case.reference)
        if isinstance(source, Failure):
            return self._without_evidence(case, verdict_of_failure(source))
        if problem := self._unfit(case):
            remedy = f"modelqa calibrate {shown(self._plan.playbook.path)} -o FILE"
            return self._without_evidence(case, inconclusive(problem, remedy=remedy))
        self._ask_phase(case)
        return self._concluded(case, self._rounds(source, case))

    def _unfit(self, case: Case) -> str:
        """Why limits that were measured are of another model than the case's reference."""
        if case.reference is None or not is_calibrated(case.check):
            return ""
        reference = self._artifact(case.reference)
        assert isinstance(reference, Artifact)
        return case.check.unfit_for(reference)

    def _judged_across(self, case: Case, check: Across) -> CaseResult:
        """What cells have answered already is not asked again."""
        self._ask_phase(case)
        recorded: dict[str, Recorded] = {}
        answers: dict[str, Any] = {}
        for name, (cell, request) in check.questions().items():
            source = self._source_of(cell, case.reference)
            if isinstance(source, Failure):
                answers[name] = source
                continue
            self._answers.ask(source, [request], case.mode)
            recorded[name] = self._answers.get(source, request, case.mode)
            answers[name] = recorded[name].answered.answer
        return self._result(case, case.check.judge(answers), recorded)

    def _source_of(self, cell: Cell, reference: ArtifactSpec | None) -> Source | Failure:
        """Who answers: the cell's worker, or one that holds the reference too."""
        key = cell.id, reference.key if reference else ""
        if absent := cell_absence(cell):
            return Failure(cause="unavailable", reason=absent.reason, remedy=absent.remedy)
        if key not in self._sources:
            self._sources[key] = self._source(cell, reference)
        return self._sources[key]

    def _ask_phase(self, case: Case) -> None:
        """What all selected cases of this phase want, in one batch a cell and mode."""
        place = _place_of(case)
        wanted: dict[tuple[str, Mode], tuple[Source, list[Request]]] = {}
        for other in self._phases.get(place, (case,)) if place not in self._asked else ():
            for cell, request in questions(other):
                source = self._source_of(cell, other.reference)
                if isinstance(source, Source):
                    _, requests = wanted.setdefault((cell.id, other.mode), (source, []))
                    requests.append(request)
        self._asked.add(place)
        for (_, mode), (source, requests) in wanted.items():
            self._answers.ask(source, requests, mode)

    def _rounds(self, source: Source, case: Case) -> dict[str, Recorded]:
        """The answers to the case's requests, and to those that depend on them."""
        assert case.cell is not None
        recorded = {
            name: self._answers.get(source, request, case.mode)
            for name, request in case.check.requests(case.cell).items()
        }
        if not is_adaptive(case.check):
            return recorded
        for _ in range(_MOST_ROUNDS):
            so_far = {name: r.answered.answer for name, r in recorded.items()}
            more = case.check.follow_up(case.cell, so_far)
            if not more:
                return recorded
            self._answers.ask(source, more.values(), "exact")
            recorded |= {
                name: self._answers.get(source, request, "exact") for name, request in more.items()
            }
        raise AssertionError(f"{case.id} still asks after {_MOST_ROUNDS} rounds")

    def _concluded(self, case: Case, recorded: Mapping[str, Recorded]) -> CaseResult:
        answers: dict[str, Any] = {n: r.answered.answer for n, r in recorded.items()}
        failures = [a for a in answers.values() if isinstance(a, Failure)]
        if failures and not is_adaptive(case.check):
            verdict = verdict_of_failure(worst_failure(failures))
        else:
            verdict = case.check.judge(answers)
        return self._result(case, verdict, recorded)

    def _result(self, case: Case, verdict: Verdict, recorded: Mapping[str, Recorded]) -> CaseResult:
        fresh = [r.answered for r in recorded.values() if r.key not in self._charged]
        self._charged.update(r.key for r in recorded.values())
        generations = [a.answer for a in fresh if isinstance(a.answer, Generation)]
        artifact = self._artifacts.get(case.cell.artifact.key) if case.cell else None
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

    def _source(self, cell: Cell, reference: ArtifactSpec | None) -> Source | Failure:
        artifact = self._artifact(cell.artifact)
        if isinstance(artifact, Failure):
            return artifact
        alone = self._alone(cell, artifact)
        if reference is None:
            return alone
        other = self._artifact(reference)
        if isinstance(other, Failure):
            reason = f"the reference {reference.key} is not here: {other.reason}"
            return replace(other, cause="unavailable", reason=reason)
        path, form = self._opened[reference.key]
        config = replace(
            alone.config,
            reference=path,
            reference_format=form,
            reference_engine=reference.engine or DEFAULT_ENGINE[reference.format],
            reference_dtype=_DTYPES.get(reference.quantization, "float32"),
        )
        return replace(
            alone,
            bytes=artifact.bytes + other.bytes,
            config=config,
            reference_sha256=other.sha256,
        )

    def _alone(self, cell: Cell, artifact: Artifact) -> Source:
        limits = self._plan.playbook.limits
        path, form = self._opened[cell.artifact.key]
        config = WorkerConfig(
            engine=cell.engine,
            artifact=path,
            format=form,
            backend=cell.backend,
            threads=self._threads,
            n_ctx=limits.n_ctx,
            arrays=self._store.arrays.absolute(),
            memory_bytes=address_space(limits.memory_mb),
            cache_bytes=cache_bytes(),
            dtype=_DTYPES.get(cell.artifact.quantization, "float32"),
        )
        return Source(
            cell=cell.id, artifact_sha256=artifact.sha256, bytes=artifact.bytes, config=config
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
            self._opened[spec.key] = for_engine(artifact, cache_root())
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
            synthetic=engine_table()[spec.engine or DEFAULT_ENGINE[spec.format]].synthetic,
        )
        self._store.write({"type": "artifact", "artifact": encode(info)})
        return artifact

    def _info(self, run_id: str) -> RunInfo:
        playbook = self._plan.playbook
        return RunInfo(
            id=run_id,
            playbook=shown(playbook.path),
            playbook_sha256=playbook.sha256,
            model=playbook.model.id,
            revision=playbook.model.revision,
            seed=playbook.seed,
            modes=tuple(sorted({case.mode for case in self._plan.cases})),
            failure_policy=playbook.failure_policy,
            started=now(),
            ended="",
            versions=versions(),
            machine=machine(),
            strict=self._strict,
            ship=_policy(playbook),
        )


def _policy(playbook: Playbook) -> ShipPolicy | None:
    """What the decision asks; None where the run ends in none."""
    if playbook.ship is None:
        return None
    return ShipPolicy(
        artifact=playbook.ship.artifact,
        min_overall=playbook.ship.min_overall,
        candidate=playbook.candidate,
    )


def ask_alone(plan: Plan, case: Case, folder: Path) -> tuple[CaseResult, str]:
    """One case without the rest of its plan, and the last text that was answered."""
    qualifier = Qualifier(replace(plan, cases=(case,)), folder, run_id="alone")
    try:
        result = qualifier.result(case)
    finally:
        qualifier.close()
    texts = [r["answer"].get("text", "") for r in read([folder]) if r["type"] == "answer"]
    return result, texts[-1] if texts else ""


def _unique(run_id: str) -> str:
    """A file of its own for each playbook and process; names sort by time."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{now}-{run_id}-{os.getpid()}"


_Place = tuple[str, int, str]
"""A scope, a phase, and what needs a worker of its own: a reference's key, a measurement's name."""


def _phases(cases: Iterable[Case]) -> dict[_Place, list[Case]]:
    """Cases that are asked together, by phase: G0 alone, G1 to G4, the rest."""
    together: dict[_Place, list[Case]] = {}
    for case in cases:
        together.setdefault(_place_of(case), []).append(case)
    return together


def _place_of(case: Case) -> _Place:
    beside = case.reference.key if case.reference else case.measurement
    return case.scope, _phase_of(case), beside


def _phase_of(case: Case) -> int:
    if not case.is_gateway:
        return 2
    return 0 if case.check.gate == "G0" else 1


def worst_failure(failures: list[Failure]) -> Failure:
    """A crash tells more than a missing extra."""
    order = ("crashed", "timeout", "error", "refused", "unavailable")
    return min(failures, key=lambda f: order.index(f.cause))
