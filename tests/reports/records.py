"""Records to report on: sound, broken in each way, and hostile. Figures are made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pytest_modelqa.core.check import Category, FailurePolicy
from pytest_modelqa.core.result import ArtifactInfo, CaseResult, PlannedCase, RunInfo, RunRecord
from pytest_modelqa.core.verdict import Outcome, Verdict

SHA256 = "c0ffee" + "0" * 58
OTHER_SHA256 = "beef" * 16
CELLS = ("gguf-q4_1-cpu-chat", "safetensors-f32-cpu-run")
GATES = ("G0", "G1", "G2", "G3", "G4")
GATE_CATEGORY = {"G2": "QUAL", "G4": "QUAL"}

REASONS = {
    Outcome.CORROBORATED: "what was claimed held in 3 of 3 answers",
    Outcome.FALSIFIED: "the answer lacks `Paris`: `The capital of France is Lyon`",
    Outcome.INCONCLUSIVE: "20 samples cannot show 99 %; 299 would",
    Outcome.UNAVAILABLE: "the engine llamacpp needs llama-cpp-python, which is not installed",
    Outcome.CRASHED: "the worker died of signal 11 (SIGSEGV)",
    Outcome.TIMEOUT: "no answer within 120 s; the worker was killed",
}
REMEDIES = {
    Outcome.UNAVAILABLE: 'python -m pip install "pytest-modelqa[llamacpp]"',
    Outcome.INCONCLUSIVE: "set samples: 299",
}


def planned(name: str, scope: str = CELLS[0], *, category: str = "QUAL") -> PlannedCase:
    """A case; a name such as G1 makes it a gateway."""
    gateway = name in GATES
    return PlannedCase(
        id=f"{scope}::{name}",
        scope=scope,
        name=name,
        gate=name if gateway else "F-SCENARIO",
        category=category,
        severity="P0" if gateway else "P2",
        tier=1,
        is_gateway=gateway,
    )


def verdict(outcome: Outcome, reason: str = "") -> Verdict:
    """A verdict with a likely reason."""
    return Verdict(
        outcome=outcome,
        reason=reason or REASONS[outcome],
        tested=3 if outcome is Outcome.CORROBORATED else 1,
        detail="Fatal Python error: Segmentation fault" if outcome is Outcome.CRASHED else "",
        remedy=REMEDIES.get(outcome, ""),
    )


def result(case: PlannedCase, outcome: Outcome, reason: str = "") -> CaseResult:
    """A result with figures that follow from the case's name alone."""
    ran = outcome is not Outcome.UNAVAILABLE
    return CaseResult(
        case=case,
        verdict=verdict(outcome, reason),
        seconds=0.25 * len(case.name) if ran else 0.0,
        generated_tokens=32 if ran else 0,
        decode_s=0.2 if ran else 0.0,
        artifact_sha256=SHA256 if ran else "",
        evidence=("0123456789abcdef" * 2,) if ran else (),
    )


def every_case() -> tuple[PlannedCase, ...]:
    """Five gateways and six scenarios, one a category, on two cells."""
    cases = []
    for cell in CELLS:
        cases += [planned(g, cell, category=GATE_CATEGORY.get(g, "STAB")) for g in GATES]
        cases += [planned(f"ask_{c.lower()}", cell, category=c) for c in Category]
    return tuple(cases)


def run_info() -> RunInfo:
    """A finished run."""
    return RunInfo(
        id="1a2b3c4d",
        playbook="tiny-chat.yaml",
        playbook_sha256="ab" * 32,
        model="example/Tiny-Chat",
        revision="main",
        seed=7,
        modes=("exact",),
        failure_policy=FailurePolicy.STOP_ON_P0,
        started="2026-01-02T03:04:05Z",
        ended="2026-01-02T03:04:35Z",
        versions={"pytest-modelqa": "0.1.0", "pytest": "9.2.0"},
        machine={"system": "Linux x86_64", "cores": "2"},
        strict=False,
    )


def artifacts(*, pinned: bool = True) -> tuple[ArtifactInfo, ...]:
    """Two files, known beforehand or not."""
    gguf = ArtifactInfo(
        key="gguf-q4_1", sha256=SHA256, bytes=98_362_432, pinned=pinned, source="pypi:tiny:t.gguf"
    )
    other = ArtifactInfo(
        key="safetensors-f32",
        sha256=OTHER_SHA256,
        bytes=538_090_408,
        pinned=True,
        source="derive:gguf-q4_1",
    )
    return gguf, other


def record(
    outcomes: Mapping[str, Outcome | None] | None = None, *, pinned: bool = True
) -> RunRecord:
    """All cases corroborated, but for those named by id: another outcome, or None for no result."""
    other = outcomes or {}
    cases = every_case()
    decided = [(c, other.get(c.id, Outcome.CORROBORATED)) for c in cases]
    return RunRecord(
        run=run_info(),
        planned=cases,
        results=tuple(result(c, outcome) for c, outcome in decided if outcome is not None),
        artifacts=artifacts(pinned=pinned),
        answers=40,
    )


def healthy() -> RunRecord:
    """Nothing to complain about."""
    return record()


def gateway_failed() -> RunRecord:
    """G2 fails on one cell, and stop_on_p0 leaves the rest of it undecided."""
    blocked = {
        c.id: Outcome.UNAVAILABLE
        for c in every_case()
        if c.scope == CELLS[0] and c.name in ("G3", "G4", "ask_qual", "ask_perf")
    }
    return record({**blocked, f"{CELLS[0]}::G2": Outcome.FALSIFIED})


def mixed() -> RunRecord:
    """One of each outcome among the scenarios, two cases not run, one artifact not pinned."""
    return record(
        {
            f"{CELLS[0]}::ask_qual": Outcome.FALSIFIED,
            f"{CELLS[0]}::ask_stab": Outcome.CRASHED,
            f"{CELLS[1]}::ask_stab": Outcome.TIMEOUT,
            f"{CELLS[0]}::ask_regr": Outcome.INCONCLUSIVE,
            f"{CELLS[0]}::ask_perf": Outcome.UNAVAILABLE,
            f"{CELLS[1]}::ask_perf": Outcome.UNAVAILABLE,
            f"{CELLS[0]}::ask_comp": None,
            f"{CELLS[1]}::ask_comp": None,
        },
        pinned=False,
    )


def unavailable() -> RunRecord:
    """Nothing could run."""
    return replace(record({c.id: Outcome.UNAVAILABLE for c in every_case()}), artifacts=())


def nothing() -> RunRecord:
    """A run that was cut off before its first result."""
    return replace(record({c.id: None for c in every_case()}), artifacts=(), answers=0)


HOSTILE = (
    '<script>alert(1)</script> & "quotes" ]]> \x1b[31mred\x1b[0m bell\x07 nul\x00 del\x7f\n'
    "second line \ufffe \ud800 [bold]markup[/bold] [/] :smile: é 日本語 😀"
)


def hostile() -> RunRecord:
    """A model's text may hold anything, and reasons quote it."""
    case = planned("ünïcode<b>", CELLS[0])
    run = replace(run_info(), model="org/<b>&\x1b[2J", playbook="böök.yaml")
    bad = result(case, Outcome.FALSIFIED, HOSTILE)
    bad = replace(bad, verdict=replace(bad.verdict, detail=HOSTILE, remedy=HOSTILE))
    skipped = result(planned("other"), Outcome.UNAVAILABLE, HOSTILE)
    return RunRecord(
        run=run,
        planned=(case, skipped.case),
        results=(bad, skipped),
        artifacts=artifacts(),
        answers=1,
    )


SAMPLES = {
    "healthy": healthy,
    "gateway_failed": gateway_failed,
    "mixed": mixed,
    "unavailable": unavailable,
    "nothing": nothing,
    "hostile": hostile,
}
