"""The unaltered artifact first, then copies with defects and variants: judged and removed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock

from pytest_modelqa.artifacts.defects.defect import (
    Change,
    Defect,
    DefectClass,
    Inapplicable,
    Made,
    Variant,
)
from pytest_modelqa.artifacts.defects.planting import applicable, planted
from pytest_modelqa.core.check import FailurePolicy
from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.core.verdict import Outcome as Verdicts
from pytest_modelqa.mutation.effect import Answers, answers_in, effect_of
from pytest_modelqa.mutation.naming import cause_right, class_of, named, place_right
from pytest_modelqa.mutation.outcome import HEALTHY, Outcome, outcome_key
from pytest_modelqa.mutation.subject import Bench
from pytest_modelqa.qualify import Qualifier
from pytest_modelqa.runtime.machine import versions

Say = Callable[[Outcome], None]
Place = tuple[str, str]
"""A modality and a check's name: what stays the same when the artifact's key does not."""

_IN_THE_FILE = frozenset({
    DefectClass.LAYOUT, DefectClass.VALUES, DefectClass.HYPER, DefectClass.QUANTISATION,
    DefectClass.FINE_TUNING,
})  # fmt: skip

_BROKEN_FILE = "the file is not whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What the unaltered artifact answers; which checks are green on it, and which have failed."""

    green: frozenset[Place]
    failed: frozenset[Place]
    other: Mapping[Place, str]
    answers: Answers
    seconds: float


class Mutations:
    """Judges copies of one artifact. Evidence and outcomes stay in `folder`, copies do not.

    What was judged before with the same artifact, playbook, checks and versions is not judged
    again. `quick` asks files alone first, where a defect is in what a file holds, and opens engines
    only where that finds nothing: its effect is then not measured. Raises what the runtime raises:
    OutputError, UsageError.
    """

    def __init__(self, bench: Bench, folder: Path, *, quick: bool = False) -> None:
        self._bench = bench
        self._static = bench.static if quick else None
        self._jobs = 1
        self._folder = folder / bench.sha256[:16]
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = Lock()
        self.baseline = self._baseline()

    def judged(
        self,
        defects: Sequence[Defect],
        variants: Sequence[Variant],
        *,
        jobs: int = 1,
        say: Say = lambda _: None,
    ) -> list[Outcome]:
        """Every defect and every variant, in their order; `say` is told each as it ends."""
        work: list[Callable[[], Outcome]] = [
            *(lambda d=d: self._defect(d) for d in defects),
            *(lambda v=v: self._variant(v) for v in variants),
        ]
        self._jobs = jobs
        with ThreadPoolExecutor(jobs) as pool:
            futures: list[Future[Outcome]] = [pool.submit(one) for one in work]
            try:
                for future in as_completed(futures):
                    say(future.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def _baseline(self) -> Baseline:
        subject = self._bench.subject
        made = Made(subject.path, subject.format, subject.quantization)
        started = time.monotonic()
        results, answers = self._qualified(self._bench, "baseline", made)
        verdicts = {_place(r): r.verdict for r in results}
        return Baseline(
            green=frozenset(p for p, v in verdicts.items() if v.outcome is Verdicts.CORROBORATED),
            failed=frozenset(p for p, v in verdicts.items() if v.outcome.failed),
            other={p: f"{v.outcome.value}: {v.reason}" for p, v in verdicts.items()
                   if v.outcome is not Verdicts.CORROBORATED},
            answers=answers,
            seconds=time.monotonic() - started,
        )  # fmt: skip

    def _qualified(
        self,
        bench: Bench,
        name: str,
        made: Made,
        policy: FailurePolicy = FailurePolicy.COLLECT_ALL,
    ) -> tuple[list[CaseResult], Answers]:
        """Every case of the playbook on one copy; evidence of an earlier attempt is used."""
        plan = bench.plan(made, policy)
        folder = self._folder / name
        earlier = [folder] if any(folder.glob("*.jsonl")) else []
        qualifier = Qualifier(plan, folder, run_id=name, resume=earlier)
        qualifier.share_cores(self._jobs)
        try:
            results = [qualifier.result(case) for case in plan.cases]
        finally:
            qualifier.close()
        return results, answers_in(folder)

    def _defect(self, defect: Defect) -> Outcome:
        blank = Outcome(
            name=defect.name,
            category=defect.category,
            what=defect.what,
            state="inapplicable",
            caught_by=defect.caught_by,
        )
        change = applicable(defect, self._bench.subject)
        if isinstance(change, Inapplicable):
            return replace(blank, reason=change.reason)
        return self._remembered(blank, lambda: self._judged_defect(blank, defect, change))

    def _judged_defect(self, blank: Outcome, defect: Defect, change: Change) -> Outcome:
        broken = defect.category is DefectClass.INTEGRITY
        policy = FailurePolicy.STOP_ON_P0 if broken else FailurePolicy.COLLECT_ALL
        with _Copies() as folder:
            made = planted(self._bench.subject, change, folder)
            results, answers = self._stages(defect, made, policy)
        outcome = self._compared(blank, results)
        cause, place = named(r for r in results if _place(r) not in self.baseline.failed)
        kind = class_of(cause)
        return replace(
            outcome,
            effect=_BROKEN_FILE if broken else effect_of(self.baseline.answers, answers),
            place=change.place,
            cause=cause,
            named_class=kind,
            named_place=place,
            class_right=kind == defect.category or cause_right(defect, cause),
            cause_right=cause_right(defect, cause),
            place_right=place_right(change, place),
        )

    def _stages(
        self, defect: Defect, made: Made, policy: FailurePolicy
    ) -> tuple[list[CaseResult], Answers]:
        """What files alone say first, where it can say it and was asked to."""
        if self._static is not None and defect.category in _IN_THE_FILE:
            results, answers = self._qualified(self._static, f"{defect.name}-static", made, policy)
            if any(r.verdict.outcome.failed for r in results if _place(r) in self.baseline.green):
                return results, answers
        return self._qualified(self._bench, defect.name, made, policy)

    def _variant(self, variant: Variant) -> Outcome:
        blank = Outcome(
            name=variant.name, category=HEALTHY, what=variant.what, state="inapplicable"
        )
        return self._remembered(blank, lambda: self._judged_variant(blank, variant))

    def _judged_variant(self, blank: Outcome, variant: Variant) -> Outcome:
        with _Copies() as folder:
            made = variant.make(self._bench.subject, folder)
            if isinstance(made, Inapplicable):
                return replace(blank, reason=made.reason)
            results, answers = self._qualified(self._bench, variant.name, made)
        outcome = self._compared(blank, results)
        return replace(outcome, effect=effect_of(self.baseline.answers, answers))

    def _compared(self, blank: Outcome, results: Sequence[CaseResult]) -> Outcome:
        """Which checks were green before and are not now."""
        before = [r for r in results if _place(r) in self.baseline.green]
        red = [r for r in before if r.verdict.outcome.failed]
        undecided = [r for r in before if r.verdict.outcome.undecided]
        return replace(
            blank,
            state="judged",
            reason=red[0].verdict.reason if red else "",
            checks=tuple(dict.fromkeys(r.case.name for r in red)),
            undecided=tuple(dict.fromkeys(r.case.name for r in undecided)),
        )

    def _remembered(self, blank: Outcome, judge: Callable[[], Outcome]) -> Outcome:
        file = self._folder / f"{blank.category}-{blank.name}.json"
        bench = self._bench
        reference = bench.reference.source if bench.reference else ""
        quick = "quick" if self._static else ""
        parts = (bench.sha256, bench.playbook.sha256, reference, quick, *bench.checks)
        key = outcome_key(blank.name, blank.what, *parts, str(versions()))
        if (known := _read(file, key)) is not None:
            return known
        resumed = any(self._folder.glob(f"{blank.name}*/*.jsonl"))
        started = time.monotonic()
        outcome = judge()
        if not resumed:
            outcome = replace(outcome, seconds=time.monotonic() - started)
        with self._lock:
            file.write_text(json.dumps({"key": key, "outcome": asdict(outcome)}), encoding="utf-8")
        return outcome


def _place(result: CaseResult) -> Place:
    return result.case.scope.rsplit("-", 1)[-1], result.case.name


def _read(file: Path, key: str) -> Outcome | None:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["key"] != key:
            return None
        tuples = {k: tuple(v) for k, v in data["outcome"].items() if isinstance(v, list)}
        return Outcome(**{**data["outcome"], **tuples})
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _Copies:
    """A folder for one copy, gone afterwards whatever happens."""

    def __enter__(self) -> Path:
        self._folder = Path(mkdtemp(prefix="modelqa-mutate-"))
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
