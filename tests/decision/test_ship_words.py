"""What a ship decision says, to the letter, and of a harness exactly what was measured."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pytest_modelqa.core.shipping import Gauge, HarnessLine, ShipDecision
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.decision.ship import decide
from tests.reports.records import CELLS
from tests.reports.shipping_records import (
    canary,
    case,
    harness,
    lost,
    of_gauge,
    refusal,
    shipping,
)

pytestmark = pytest.mark.tier1
CELL = CELLS[0]


def of(*results: object, **settings: float) -> ShipDecision:
    found = decide(shipping(*results, **settings))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_line_of_a_harness_is_what_it_measured() -> None:
    low = harness("tron", 85, threshold=0.9, kind="quality")
    assert of(harness("a", 96), low).harnesses == (
        HarnessLine(
            case_id=f"{CELL}::ship-a",
            name="a",
            kind="ship",
            value=0.96,
            threshold=0.95,
            passed=True,
            state="cleared",
            reason="96 of 100 passed: cleared",
        ),
        HarnessLine(
            case_id=f"{CELL}::ship-tron",
            name="tron",
            kind="quality",
            value=0.85,
            threshold=0.9,
            passed=False,
            state="blocked",
            reason="85 of 100 passed: blocked",
        ),
    )


@pytest.mark.parametrize("kind", ["ship", "quality"])
def test_the_line_of_a_harness_that_measured_nothing_says_so(kind: str) -> None:
    died = lost("b", Outcome.CRASHED, "signal 11", kind)  # type: ignore[arg-type]
    [line] = of(died).harnesses
    assert math.isnan(line.threshold)
    assert replace(line, threshold=0.0) == HarnessLine(
        case_id=f"{CELL}::ship-b",
        name="b",
        kind=kind,  # type: ignore[arg-type]
        value=None,
        threshold=0.0,
        passed=False,
        state="inconclusive",
        reason="signal 11",
    )


def test_a_harness_without_a_result_says_that_it_was_not_run() -> None:
    whole = shipping(harness("a", 100))
    found = decide(replace(whole, planned=(*whole.planned, case("ship-b", "ship", "F-SHIP-B"))))
    assert found is not None
    assert found.reasons == (
        "b measured nothing: not run: planned, but without a result",
        "There is no overall score: it is the mean of all harnesses.",
    )


def test_the_state_is_never_better_than_the_verdict() -> None:
    good = harness("a", 100)
    for outcome, state in (
        (Outcome.FALSIFIED, "blocked"),
        (Outcome.CRASHED, "blocked"),
        (Outcome.INCONCLUSIVE, "inconclusive"),
    ):
        doubted = replace(good, verdict=replace(good.verdict, outcome=outcome))
        assert of(doubted).harnesses[0].state == state
    undecided = harness("a", 95, confidence=0.95)
    assert of(undecided).harnesses[0].state == "inconclusive"
    falsified = replace(undecided.verdict, outcome=Outcome.FALSIFIED)
    assert of(replace(undecided, verdict=falsified)).harnesses[0].state == "inconclusive"


@pytest.mark.parametrize(("value", "n"), [(math.nan, 100), (0.96, 0)])
def test_negative_a_metric_that_is_no_number_measured_nothing(value: float, n: int) -> None:
    good = harness("a", 96)
    gauge = good.verdict.gauge
    assert gauge is not None
    verdict = replace(good.verdict, gauge=replace(gauge, value=value, n=n))
    found = of(replace(good, verdict=verdict))
    assert found.overall is None
    assert found.harnesses[0].value is None


def f1(found: Gauge | None) -> float | None:
    assert found is not None
    return of(harness("a", 100), of_gauge("refusal", found, ())).overall


def test_an_f1_without_a_right_refusal_is_zero_in_the_mean() -> None:
    gauge = refusal(0, 100, 1, 99).verdict.gauge
    assert f1(gauge) == 0.5
    assert gauge is not None
    assert f1(replace(gauge, confusion=None)) == 0.5


def test_a_run_that_was_cut_off_says_so() -> None:
    whole = shipping(harness("a", 100))
    cut = decide(replace(whole, run=replace(whole.run, interrupted=True)))
    assert cut is not None
    assert cut.reasons == ("The run was cut off before its end.",)


def test_no_evidence_says_what_is_missing() -> None:
    whole = replace(shipping(), artifacts=())
    found = decide(whole)
    assert found is not None
    assert found.reasons == (
        "No ship gate is planned: nothing shows that the model may ship.",
        "What ships, gguf-q4_1, was never opened.",
        "There is no overall score: it is the mean of all harnesses.",
    )


def test_only_what_ships_must_be_no_script() -> None:
    whole = shipping(harness("a", 100))
    shipped, others = (
        [a for a in whole.artifacts if (a.key == "gguf-q4_1") is same] for same in (True, False)
    )
    assert shipped
    assert others
    elsewhere = (*shipped, *(replace(a, synthetic=True) for a in others))
    found = decide(replace(whole, artifacts=elsewhere))
    assert found is not None
    assert found.cleared
    scripts = (*(replace(a, synthetic=True) for a in shipped), *others)
    found = decide(replace(whole, artifacts=scripts))
    assert found is not None
    assert found.reasons == ("A script answers for gguf-q4_1: that is no evidence of a model.",)


def test_a_mean_below_the_threshold_says_both() -> None:
    found = of(
        harness("a", 100), harness("b", 70, threshold=0.5, kind="quality"), min_overall=0.925
    )
    assert (found.overall, found.min_overall) == (0.85, 0.925)
    assert found.reasons == ("The overall score is 85 %, below 92.5 %.",)


def test_a_mean_below_the_threshold_names_the_harnesses_that_block_in_no_other_way() -> None:
    found = of(
        harness("a", 100),
        harness("b", 50, threshold=0.75),
        harness("c", 50, threshold=0.75, kind="quality"),
        harness("d", 25, threshold=0.75, kind="quality"),
    )
    assert found.reasons[1:] == ("The overall score is 56.25 %, below 90 %; not cleared: c, d.",)


@pytest.mark.parametrize(("failing", "more"), [(20, ""), (21, " and 1 more"), (23, " and 3 more")])
def test_twenty_canaries_are_named_and_the_others_counted(failing: int, more: str) -> None:
    found = of(harness("a", 100), *(canary(f"c{i}", [False]) for i in range(failing)))
    names = ", ".join(f"c{i}" for i in range(20))
    assert found.reasons == (f"0 of {failing} canaries passed; not {names}{more}.",)
