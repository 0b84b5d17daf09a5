"""Ship gates from playbook through worker: planted defects are red, healthy neighbours green."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.plan import estimate, make
from pytest_modelqa.playbook.load import load
from pytest_modelqa.qualify import Qualifier
from tests.controls.ship_book import BAD, SCRIPTS, ship_book, wrong


def shipped(path: Path, out: str = "out", resume: Sequence[Path] = ()) -> dict[str, CaseResult]:
    """The results of the cases that decide whether to ship, by name."""
    plan = make(load(path, oracle_table()))
    cases = [case for case in plan.cases if case.role]
    qualifier = Qualifier(plan, path.parent / out, run_id="r1", resume=resume)
    try:
        qualifier.select(cases)
        return {case.check.name: qualifier.result(case) for case in cases}
    finally:
        qualifier.close()


class Control(NamedTuple):
    """What is planted, the case that it turns red, how, and words of the reason."""

    planted: Callable[[Path], Path]
    case: str
    outcome: Outcome
    reason: str


def planted(**how: Any) -> Callable[[Path], Path]:
    return lambda folder: ship_book(folder, **how)


SHIP, CANARY = "ship-cities", "canary-first"
CONTROLS: dict[str, tuple[Control, ...]] = {
    "F-SHIP": (
        Control(planted(rules=wrong(3, 4)), SHIP, Outcome.FALSIFIED, "18 of 20 passed"),
        Control(planted(harness={"confidence": 0.95}), SHIP, Outcome.INCONCLUSIVE, "would decide"),
        Control(
            planted(rules=[{"match": "number 7?", "do": "segfault"}]),
            SHIP,
            Outcome.CRASHED,
            "1 of 20 answers are missing",
        ),
        Control(
            planted(rules=[{"match": "number 7?", "do": "nan"}, *wrong(8)]),
            SHIP,
            Outcome.FALSIFIED,
            "18 of 20 passed",
        ),
        Control(planted(harness={"max_tokens": 7}), SHIP, Outcome.FALSIFIED, "0 of 20 passed"),
        Control(
            planted(examples={"It is Paris.": True, "Paris or London?": False}),
            SHIP,
            Outcome.INCONCLUSIVE,
            "the harness itself is wrong: examples.jsonl:2: the bad example 'Paris or London?'",
        ),
    ),
    "F-CANARY": (
        Control(
            planted(rules=[{"match": "first", "text": BAD}]),
            CANARY,
            Outcome.FALSIFIED,
            "lost at gguf-q8_0",
        ),
        Control(
            planted(rules=[{"match": "first", "do": "abort"}]), CANARY, Outcome.CRASHED, "SIGABRT"
        ),
    ),
}


@pytest.mark.parametrize(
    "control", [c for controls in CONTROLS.values() for c in controls], ids=lambda c: c.reason[:20]
)
def test_ship_negative_a_planted_defect_is_found(tmp_path: Path, control: Control) -> None:
    results = shipped(control.planted(tmp_path))
    verdict = results[control.case].verdict
    assert verdict.outcome is control.outcome, verdict.reason
    assert control.reason in verdict.reason
    healthy = results["canary-second"].verdict
    assert healthy.outcome is Outcome.CORROBORATED, healthy.reason


def test_the_healthy_neighbour_clears(tmp_path: Path) -> None:
    book = ship_book(tmp_path, rules=wrong(3), ship={"baseline": "gguf-f16"})
    results = shipped(book)
    assert list(results) == [SHIP, CANARY, "canary-second"]
    for result in results.values():
        assert result.verdict.outcome is Outcome.CORROBORATED, result.verdict.reason
        assert result.case.scope == "gguf-q8_0-cpu-chat"
    gauge = results[SHIP].verdict.gauge
    assert gauge is not None
    assert gauge.paired is not None
    assert (gauge.passed, gauge.n, gauge.paired.lost, gauge.paired.won) == (19, 20, 1, 0)
    assert len(results[SHIP].evidence) == 40
    trail = results[CANARY].verdict.trail
    assert trail is not None
    assert [(s.stage, s.passed) for s in trail.stages] == [("gguf-f16", True), ("gguf-q8_0", True)]
    assert results[SHIP].case.role == "ship"
    assert results[CANARY].case.role == "canary"


def test_ship_negative_a_stage_that_crashes_says_nothing_of_what_ships(tmp_path: Path) -> None:
    book = ship_book(tmp_path, before=[{"match": "first", "do": "segfault"}])
    verdict = shipped(book)[CANARY].verdict
    assert verdict.outcome is Outcome.CORROBORATED
    assert "no answer of gguf-f16" in verdict.reason


CLEARED, BLOCKED, OPEN = Outcome.CORROBORATED, Outcome.FALSIFIED, Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("mistakes", "edits"),
    [
        (
            (1,),
            [
                ({}, CLEARED),
                ({"threshold": 0.951}, BLOCKED),
                ({"samples": 10}, BLOCKED),
                ({"samples": 1}, CLEARED),
                ({"confidence": 0.95}, OPEN),
                ({"confidence": 0.95, "threshold": 0.7}, CLEARED),
            ],
        ),
        (
            (1, 2, 3, 4),
            [
                ({}, BLOCKED),
                ({"threshold": 0.8}, CLEARED),
                ({"confidence": 0.95, "threshold": 0.8}, OPEN),
                ({"confidence": 0.95, "threshold": 0.99}, BLOCKED),
            ],
        ),
    ],
)
def test_editing_threshold_samples_and_confidence_decides_anew_from_evidence(
    tmp_path: Path, mistakes: tuple[int, ...], edits: list[tuple[dict[str, Any], Outcome]]
) -> None:
    """No worker is started again: the answers are those of the first run."""
    shipped(ship_book(tmp_path, rules=wrong(*mistakes)))
    for number, (harness, outcome) in enumerate(edits):
        book = ship_book(tmp_path, rules=wrong(*mistakes), harness=harness)
        verdict = shipped(book, f"again{number}", resume=[tmp_path / "out"])[SHIP].verdict
        assert verdict.outcome is outcome, (harness, verdict.reason)
        assert not (tmp_path / f"again{number}" / "logs").exists()


def test_ship_negative_a_wrong_harness_alone_is_inconclusive_and_asks_nothing(
    tmp_path: Path,
) -> None:
    book = ship_book(
        tmp_path,
        examples={"It is Paris.": True, "No Paris.": False},
        extra="gates: {F-CANARY: {enabled: false}}\n",
    )
    (result,) = shipped(book).values()
    assert result.verdict.outcome is Outcome.INCONCLUSIVE
    assert "harness itself is wrong" in result.verdict.reason
    assert not result.evidence
    assert not (tmp_path / "out" / "logs").exists()


def test_ship_negative_what_cannot_be_opened_at_all_is_unavailable(tmp_path: Path) -> None:
    """Of a baseline it leaves the comparison out; of what ships it is no answer."""
    apr = '    - {format: apr, quantization: f16, source: "file:none.apr"}\n'
    head = SCRIPTS.replace("test_matrix", apr + "test_matrix")
    results = shipped(ship_book(tmp_path, head=head, ship={"baseline": "apr-f16"}))
    verdict = results[SHIP].verdict
    assert verdict.outcome is Outcome.CORROBORATED
    told = "not compared with apr-f16: 20 answers are missing (there is no file"
    assert told in verdict.reason
    (tmp_path / "q8.json").rename(tmp_path / "gone.json")
    verdict = shipped(tmp_path / "book.yaml", "again")[SHIP].verdict
    assert verdict.outcome is Outcome.UNAVAILABLE
    assert verdict.gauge is None
    assert "no answer of 20 came" in verdict.reason


def test_a_gate_that_is_turned_off_has_no_case(tmp_path: Path) -> None:
    book = ship_book(tmp_path, extra="gates: {F-CANARY: {enabled: false}}\n")
    assert [c.check.name for c in make(load(book, oracle_table())).cases if c.role] == [SHIP]
    book = ship_book(tmp_path, extra="gates: {F-SHIP-CITIES: {enabled: false}}\n")
    roles = [c.role for c in make(load(book, oracle_table())).cases if c.role]
    assert roles == ["canary", "canary"]


def test_batched_harnesses_are_sampled_by_the_gate_on_batching(tmp_path: Path) -> None:
    cases = make(load(ship_book(tmp_path, harness={"mode": "fast"}), oracle_table())).cases
    modes = {case.check.name: case.mode for case in cases}
    assert (modes[SHIP], modes[CANARY], modes["batching"]) == ("fast", "exact", "fast")
    (batching,) = [case for case in cases if case.check.name == "batching"]
    assert batching.cell is not None
    assert len(batching.check.requests(batching.cell)) == 20


def test_the_estimate_counts_baseline_and_stages(tmp_path: Path) -> None:
    alone = estimate(make(load(ship_book(tmp_path), oracle_table())))
    both = estimate(make(load(ship_book(tmp_path, ship={"baseline": "gguf-f16"}), oracle_table())))
    assert both.requests - alone.requests == 20


CI_LIGHT = """\
version: "1.0"
model:
  id: test/ci-light
  artifacts:
    - {format: safetensors, quantization: f32, source: "build:ci-light"}
    - {format: gguf, quantization: f16, source: "derive:safetensors-f32"}
    - {format: gguf, quantization: q8_0, source: "derive:safetensors-f32"}
test_matrix: {modalities: [chat], backends: [cpu], formats: [gguf], quantizations: [q8_0]}
limits: {n_ctx: 256, max_tokens: 64}
"""


@pytest.mark.tier3
def test_ci_light_goes_through_every_stage(tmp_path: Path) -> None:
    """A model of 4 million parameters answers; it knows of Paris, and of no other city."""
    book = ship_book(
        tmp_path,
        head=CI_LIGHT,
        prompts=4,
        examples={"It is a word.": True, "7": False},
        ship={"baseline": "gguf-f16"},
        harness={
            "oracle": "regex",
            "pattern": "[a-z]{2}",
            "expected": None,
            "max_tokens": 48,
            "stop": ["."],
        },
    )
    book.write_text(book.read_text().replace("The first one?", "What is the capital of France?"))
    results = shipped(book)
    gauge, trail = results[SHIP].verdict.gauge, results[CANARY].verdict.trail
    assert gauge is not None
    assert gauge.n == 4
    assert gauge.paired is not None
    assert trail is not None
    assert [s.stage for s in trail.stages] == ["gguf-f16", "gguf-q8_0"]
    assert results[CANARY].verdict.outcome is Outcome.CORROBORATED
    assert results["canary-second"].verdict.outcome is Outcome.FALSIFIED
