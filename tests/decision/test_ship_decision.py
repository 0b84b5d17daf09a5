"""CLEARED or BLOCKED: what clears, and that everything else blocks with its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.shipping import ShipDecision
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.decision.ship import decide
from tests.reports.records import CELLS, OTHER_SHA256, SHA256, healthy, planned, result
from tests.reports.shipping_records import (
    blocked,
    canary,
    case,
    cleared,
    harness,
    lost,
    refusal,
    shipping,
)

pytestmark = pytest.mark.tier1


def decided(record: RunRecord) -> ShipDecision:
    found = decide(record)
    assert found is not None
    return found


def reasons(record: RunRecord) -> str:
    found = decided(record)
    assert found.cleared == (not found.reasons)
    return "\n".join(found.reasons)


def test_a_playbook_without_gates_has_no_decision() -> None:
    assert decide(healthy()) is None


def test_all_well_is_cleared() -> None:
    found = decided(cleared())
    assert (found.cleared, found.word, found.reasons) == (True, "CLEARED", ())
    assert (found.canaries, found.canaries_passed) == (2, 2)
    f1 = 198 / 201
    assert found.overall == pytest.approx((0.95 + 0.97 + 0.92 + 1.0 + 0.86 + f1) / 6)
    assert all(line.passed for line in found.harnesses)


def test_a_record_that_fails_in_many_ways_names_each() -> None:
    found = decided(blocked())
    text = "\n".join(found.reasons)
    assert found.word == "BLOCKED"
    for name in ("pdca_schema", "pdca_quality", "empty_constructor", "refusal", "tool_success"):
        assert f"{name} " in text
    assert "1 of 3 canaries passed; not tron-format, init-purpose." in text
    assert found.overall is None


@pytest.mark.parametrize(
    ("passed", "threshold", "is_cleared"),
    [(95, 0.95, True), (94, 0.95, False), (100, 1.0, True), (99, 1.0, False)],
)
def test_the_threshold_decides_at_its_boundary(
    passed: int, threshold: float, is_cleared: bool
) -> None:
    assert decided(shipping(harness("a", passed, threshold=threshold))).cleared is is_cleared


def test_the_confidence_decides_what_the_estimate_does_not() -> None:
    assert decided(shipping(harness("a", 95))).cleared
    assert "inconclusive" in reasons(shipping(harness("a", 95, confidence=0.95)))
    assert decided(shipping(harness("a", 99, confidence=0.95))).cleared
    assert "blocked" in reasons(shipping(harness("a", 85, confidence=0.95)))


def test_the_sample_size_decides_under_a_confidence() -> None:
    assert not decided(shipping(harness("a", 58, 58, confidence=0.95))).cleared
    assert decided(shipping(harness("a", 59, 59, confidence=0.95))).cleared


def test_a_quality_gate_below_its_threshold_counts_in_the_mean_alone() -> None:
    low = harness("tron", 85, threshold=0.9, kind="quality")
    found = decided(shipping(harness("a", 100), low))
    assert found.cleared
    assert [line.passed for line in found.harnesses] == [True, False]
    undecided = harness("tron", 88, threshold=0.9, kind="quality", confidence=0.95)
    assert decided(shipping(harness("a", 100), undecided)).cleared


@pytest.mark.parametrize(("passed", "is_cleared"), [(80, True), (79, False)])
def test_the_overall_mean_decides_at_its_boundary(passed: int, is_cleared: bool) -> None:
    record = shipping(harness("a", 100), harness("b", passed, threshold=0.5, kind="quality"))
    found = decided(record)
    assert found.overall == (100 + passed) / 200
    assert found.cleared is is_cleared


def test_the_mean_is_exact_where_floats_are_not() -> None:
    """0.95 + 0.97 + 0.81 is 2.7300000000000004 in binary, and 2.73 / 3 is 0.91."""
    results = [harness(str(k), k, threshold=0.5) for k in (95, 97, 81)]
    assert decided(shipping(*results, min_overall=0.91)).cleared
    assert not decided(shipping(*results, min_overall=0.910001)).cleared


def test_f1_is_the_metric_of_its_harness_in_the_mean() -> None:
    found = decided(shipping(refusal(98, 2, 2, 98)))
    assert found.overall == 0.98
    assert found.cleared
    assert not decided(shipping(refusal(97, 3, 1, 99))).cleared


@pytest.mark.parametrize("kind", ["ship", "quality"])
@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.CORROBORATED])
def test_negative_a_harness_that_measured_nothing_blocks(outcome: Outcome, kind: str) -> None:
    made = lost("b", outcome, "the harness itself is wrong: a bad example passes")
    made = replace(made, case=replace(made.case, role=kind))  # type: ignore[arg-type]
    assert "b measured nothing: the harness itself is wrong" in reasons(
        shipping(harness("a", 100), made)
    )


@pytest.mark.parametrize("kind", ["ship", "quality"])
def test_negative_a_harness_with_missing_answers_blocks(kind: str) -> None:
    good = harness("b", 100, kind=kind)  # type: ignore[arg-type]
    for outcome in (Outcome.CRASHED, Outcome.TIMEOUT, Outcome.UNAVAILABLE):
        broken = replace(good, verdict=replace(good.verdict, outcome=outcome))
        assert f"b {outcome}" in reasons(shipping(harness("a", 100), broken))
    fewer = replace(good, verdict=replace(good.verdict, tested=99, outcome=Outcome.FALSIFIED))
    assert "b falsified" in reasons(shipping(harness("a", 100), fewer))


def test_negative_a_gauge_never_says_more_than_its_verdict() -> None:
    good = harness("a", 100)
    for outcome in (Outcome.FALSIFIED, Outcome.INCONCLUSIVE):
        doubted = replace(good, verdict=replace(good.verdict, outcome=outcome))
        found = decided(shipping(doubted))
        assert not found.cleared
        assert found.harnesses[0].state != "cleared"


def test_negative_a_planned_case_without_a_result_blocks() -> None:
    for role, name in (("ship", "ship-b"), ("quality", "ship-b"), ("canary", "canary-b")):
        whole = shipping(harness("a", 100))
        absent = case(name, role, "F-SHIP-B")  # type: ignore[arg-type]
        assert "b" in reasons(replace(whole, planned=(*whole.planned, absent)))


def test_negative_a_result_that_was_not_planned_does_not_hide() -> None:
    whole = shipping(harness("a", 100), harness("b", 3))
    assert "b is blocked" in reasons(replace(whole, planned=whole.planned[:1]))


def test_negative_no_evidence_is_no_clearance() -> None:
    assert "No ship gate is planned" in reasons(shipping())
    assert "There is no overall score" in reasons(shipping())
    quality = shipping(harness("a", 100, kind="quality"))
    assert "No ship gate is planned" in reasons(quality)
    none = replace(shipping(harness("a", 100)), artifacts=())
    assert "was never opened" in reasons(none)


def test_negative_a_script_is_no_model() -> None:
    whole = shipping(harness("a", 100))
    scripts = tuple(replace(a, synthetic=True) for a in whole.artifacts)
    assert "A script answers" in reasons(replace(whole, artifacts=scripts))


def test_negative_other_bytes_than_those_that_ship_block() -> None:
    other = replace(harness("a", 100), artifact_sha256=OTHER_SHA256)
    assert "Measured on another artifact than gguf-q4_1: ship-a." in reasons(shipping(other))
    assert decided(shipping(replace(other, artifact_sha256=SHA256))).cleared


def test_negative_a_failed_gateway_of_what_ships_blocks() -> None:
    """Where the policy goes on after it; elsewhere its cell is left alone."""
    gate = result(planned("G3"), Outcome.FALSIFIED, "the second answer differs")
    assert "G3 falsified on gguf-q4_1-cpu-chat: the second" in reasons(
        shipping(harness("a", 100), gate)
    )
    other = result(planned("G3", CELLS[1]), Outcome.FALSIFIED)
    assert decided(shipping(harness("a", 100), other)).cleared
    assert decided(shipping(harness("a", 100), result(planned("G3"), Outcome.CORROBORATED))).cleared


@pytest.mark.parametrize("outcome", [Outcome.INCONCLUSIVE, Outcome.UNAVAILABLE])
def test_negative_a_gateway_that_decided_nothing_blocks(outcome: Outcome) -> None:
    record = shipping(harness("a", 100), result(planned("G3"), outcome, "nobody looked"))
    assert reasons(record) == f"G3 {outcome} on gguf-q4_1-cpu-chat: nobody looked"


def test_negative_a_gateway_that_was_left_out_blocks() -> None:
    """As `-m "not gateway"` leaves it out: planned, and without a result."""
    whole = shipping(harness("a", 100), result(planned("G3"), Outcome.CORROBORATED))
    without = replace(whole, results=whole.results[:1])
    assert reasons(without) == "G3 was not run on gguf-q4_1-cpu-chat."
    assert decided(whole).cleared


def test_negative_a_gateway_of_other_bytes_blocks() -> None:
    other = replace(result(planned("G3"), Outcome.CORROBORATED), artifact_sha256=OTHER_SHA256)
    assert "another artifact than gguf-q4_1: G3" in reasons(shipping(harness("a", 100), other))


def test_negative_a_run_that_was_cut_off_blocks() -> None:
    whole = shipping(harness("a", 100))
    cut = replace(whole, run=replace(whole.run, interrupted=True))
    assert "cut off" in reasons(cut)


@pytest.mark.parametrize("stages", [[True, False], [False, False], [True, None]])
def test_negative_one_canary_that_does_not_pass_blocks(stages: list[bool | None]) -> None:
    good = [canary(str(i), [True]) for i in range(19)]
    found = decided(shipping(harness("a", 100), *good, canary("last", stages)))
    assert found.reasons == ("19 of 20 canaries passed; not last.",)
    assert decided(shipping(harness("a", 100), *good)).cleared


def test_a_canary_that_was_lost_and_found_again_passes() -> None:
    assert decided(shipping(harness("a", 100), canary("b", [True, False, True]))).cleared
