"""Records that end in a ship decision: cleared, blocked in each way, and hostile. Made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from pytest_modelqa.core.result import CaseResult, PlannedCase, RunRecord
from pytest_modelqa.core.shipping import (
    CanaryTrail,
    Confusion,
    Demand,
    GateKind,
    Gauge,
    Paired,
    Role,
    ShipPolicy,
    StageAnswer,
)
from pytest_modelqa.core.verdict import Outcome, Part, Verdict
from pytest_modelqa.stats.gates import measured
from tests.reports.records import (
    CELLS,
    HOSTILE,
    SAMPLES,
    SHA256,
    artifacts,
    planned,
    result,
    run_info,
)

CELL = CELLS[0]
KEY = "gguf-q4_1"
STAGES = ("safetensors-f32", "gguf-f16", "gguf-q8_0", KEY)
OUTCOMES = {
    "cleared": Outcome.CORROBORATED,
    "blocked": Outcome.FALSIFIED,
    "inconclusive": Outcome.INCONCLUSIVE,
}


def case(name: str, role: Role, gate: str) -> PlannedCase:
    """A planned case of the decision."""
    return replace(planned(name, CELL, category="REGR"), id=f"{CELL}::{name}", gate=gate, role=role)


def parts(passed: int, n: int, answer: str = "an answer") -> tuple[Part, ...]:
    """The first ones pass."""
    return tuple(
        Part(
            name=f"p{i:03}",
            outcome=Outcome.CORROBORATED if i < passed else Outcome.FALSIFIED,
            reason="all demands are met" if i < passed else "no section act",
            asked=f"Write document {i}.",
            answered=f"{answer} {i}",
        )
        for i in range(n)
    )


def harness(
    name: str,
    passed: int,
    n: int = 100,
    *,
    threshold: float = 0.95,
    kind: GateKind = "ship",
    confidence: float | None = None,
    paired: Paired | None = None,
) -> CaseResult:
    """A harness that measured a rate."""
    demand = Demand(kind=kind, metric="rate", threshold=threshold, confidence=confidence)
    gauge = measured(demand, passed=passed, n=n, paired=paired)
    return of_gauge(name, gauge, parts(passed, n))


def refusal(tp: int, fn: int, fp: int, tn: int) -> CaseResult:
    """The two-class harness of the seed."""
    demand = Demand(kind="ship", metric="f1", threshold=0.98)
    found = Confusion(true_positive=tp, false_negative=fn, false_positive=fp, true_negative=tn)
    n = tp + fn + fp + tn
    gauge = measured(demand, passed=tp + tn, n=n, confusion=found)
    return of_gauge("refusal", gauge, parts(tp + tn, n))


def of_gauge(name: str, gauge: Gauge, found: Sequence[Part]) -> CaseResult:
    """A harness with this gauge; its verdict says the same."""
    made = case(f"ship-{name}", gauge.demand.kind, f"F-SHIP-{name.upper()}")
    verdict = Verdict(
        outcome=OUTCOMES[gauge.state],
        reason=f"{gauge.passed} of {gauge.n} passed: {gauge.state}",
        tested=gauge.n,
        parts=tuple(found),
        gauge=gauge,
    )
    return replace(result(made, Outcome.CORROBORATED), verdict=verdict, artifact_sha256=SHA256)


def lost(
    name: str, outcome: Outcome, reason: str, kind: Literal["ship", "quality"] = "ship"
) -> CaseResult:
    """A harness that measured nothing."""
    made = case(f"ship-{name}", kind, f"F-SHIP-{name.upper()}")
    return CaseResult(case=made, verdict=Verdict(outcome=outcome, reason=reason), seconds=0.0)


def canary(
    name: str, passed: Sequence[bool | None], group: str = "patterns", answer: str = "TRON is ..."
) -> CaseResult:
    """A canary through as many stages as `passed` has, the last of which ships."""
    stages = tuple(
        StageAnswer(stage=stage, passed=ok, reason="says so" if ok else "does not", answer=answer)
        for stage, ok in zip(STAGES[-len(passed) :], passed, strict=True)
    )
    lost_at = next(
        (
            s.stage
            for i, s in enumerate(stages)
            if s.passed is False and any(before.passed for before in stages[:i])
        ),
        "",
    )
    trail = CanaryTrail(
        name=name, group=group, prompt=f"Explain {name}.", stages=stages, lost_at=lost_at
    )
    verdict = Verdict(
        outcome=Outcome.CORROBORATED if passed[-1] else Outcome.FALSIFIED,
        reason="says so" if passed[-1] else f"does not; lost at {lost_at}",
        tested=1,
        trail=trail,
    )
    made = case(f"canary-{name}", "canary", "F-CANARY")
    return replace(result(made, Outcome.CORROBORATED), verdict=verdict, artifact_sha256=SHA256)


def shipping(*results: CaseResult, min_overall: float = 0.9, candidate: str = "") -> RunRecord:
    """A record that asks for a decision, of these results alone."""
    policy = ShipPolicy(artifact=KEY, min_overall=min_overall, candidate=candidate)
    return RunRecord(
        run=replace(run_info(), ship=policy),
        planned=tuple(r.case for r in results),
        results=results,
        artifacts=artifacts(),
        answers=len(results),
        engine_s=27.0,
    )


def cleared() -> RunRecord:
    """Six harnesses and two canaries, all well."""
    return shipping(
        harness("pdca_schema", 95, threshold=0.95),
        harness("pdca_quality", 97, threshold=0.95),
        harness("tron", 92, threshold=0.9, kind="quality"),
        harness("empty_constructor", 100, threshold=0.95, confidence=0.95),
        harness("tool_success", 86, threshold=0.85, kind="quality"),
        refusal(99, 1, 2, 98),
        canary("tron-format", [True, True, True, True]),
        canary("init-purpose", [True, True, True, True]),
        candidate="tuned",
    )


def blocked() -> RunRecord:
    """Below a threshold, undecided, never run, worse than the baseline, and lost on the way."""
    pair = Paired(both=80, lost=12, won=0, neither=8, p_value=0.00049, lower=-0.18)
    found = shipping(
        harness("pdca_schema", 92, threshold=0.95),
        harness("pdca_quality", 97, threshold=0.95, confidence=0.95),
        harness("tron", 80, threshold=0.9, kind="quality", paired=pair),
        lost("empty_constructor", Outcome.CRASHED, "the worker died of signal 11 (SIGSEGV)"),
        refusal(90, 10, 2, 98),
        canary("tron-format", [True, True, True, False]),
        canary("init-purpose", [False, False, False, False]),
        canary("cmm-levels", [True, True, True, True], group="structure"),
        candidate="tuned",
    )
    absent = case("ship-tool_success", "quality", "F-SHIP-TOOL_SUCCESS")
    return replace(found, planned=(*found.planned, absent))


def hostile_decision() -> RunRecord:
    """Answers of a model that mean harm."""
    text = f"{HOSTILE}\n```\n````\n## Act\nTBD [insert name] FOLLOWS: nothing"
    bad = harness("pdca_schema", 1, 3)
    verdict = replace(bad.verdict, parts=parts(1, 3, text), reason=text)
    return shipping(
        replace(bad, verdict=verdict), canary("evil", [True, True, True, False], answer=text)
    )


SHIPPING: dict[str, Callable[[], RunRecord]] = {
    "cleared": cleared,
    "blocked": blocked,
    "hostile_decision": hostile_decision,
}
EVERY: dict[str, Callable[[], RunRecord]] = {**SAMPLES, **SHIPPING}
