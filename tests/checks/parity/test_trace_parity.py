"""The judge of layer traces: jumps are named, even errors are not, and nothing missing passes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pytest_modelqa.checks.parity.origin import origins
from pytest_modelqa.checks.parity.trace import TraceParity
from pytest_modelqa.core.check import Check
from pytest_modelqa.core.comparison.trace import TraceCompared
from pytest_modelqa.core.stages import Block
from pytest_modelqa.core.verdict import Outcome, Verdict
from tests.checks.parity.traces import changed, compared, statistics

CHECK = TraceParity()


def judged(seen: TraceCompared) -> Verdict:
    return CHECK.judge({"trace": seen})


def test_it_is_a_check_with_the_gate_that_the_issue_names() -> None:
    check: Check = CHECK
    assert check.gate == "F-PARITY-TRACE"


@pytest.mark.parametrize("storage", [3e-7, 3e-4, 2e-3, 0.01, 0.07, 0.2])
def test_an_even_error_has_no_origin(storage: float) -> None:
    verdict = judged(compared(storage, layers=30))
    assert verdict.outcome is Outcome.CORROBORATED
    assert "no single origin, error grows evenly" in verdict.reason
    assert verdict.tested == 303


@pytest.mark.parametrize("storage", [3e-4, 0.01, 0.07])
@pytest.mark.parametrize("block", ["value", "heads", "attention", "gate", "up", "ffn"])
def test_a_jump_in_one_layer_is_named_with_its_tensor(block: Block, storage: float) -> None:
    (found,) = origins(compared(storage, {block: {2: 1.0}}))
    assert (found.block, found.layers, found.everywhere) == (block, (2,), False)
    assert found.tensors.startswith("blk.2.")
    assert judged(compared(storage, {block: {2: 1.0}})).outcome is Outcome.FALSIFIED


@pytest.mark.parametrize("block", ["attention_norm", "ffn_norm", "inner", "output"])
def test_what_holds_no_large_weights_may_not_differ_however_the_model_is_stored(
    block: Block,
) -> None:
    (found,) = origins(compared(0.07, {block: {1: 4e-4}}))
    assert (found.block, found.layers) == (block, (1,))


@pytest.mark.parametrize("block", ["embedding", "final_norm", "logits"])
def test_the_ends_are_named_without_a_layer(block: Block) -> None:
    verdict = judged(compared(0.01, {block: {-1: 1.0}}))
    assert verdict.outcome is Outcome.FALSIFIED
    assert not verdict.reason.startswith("layer")


def test_the_first_origin_in_execution_order_comes_first() -> None:
    found = origins(compared(0.01, {"ffn": {0: 1.0}, "value": {3: 1.4}}))
    assert [o.block for o in found] == ["ffn", "value"]


@pytest.mark.parametrize("storage", [3e-4, 0.01, 0.05])
def test_a_kind_that_is_wrong_in_every_layer_is_found_by_the_others(storage: float) -> None:
    (found,) = origins(compared(storage, {"heads": dict.fromkeys(range(30), 0.6)}, layers=30))
    assert found.everywhere
    assert found.tensors == "blk.*.attn_q or attn_k"


def test_layers_that_are_stored_in_more_bits_make_no_origin_of_the_others() -> None:
    mixed = {layer: 0.07 if layer % 2 else 0.018 for layer in range(30)}
    assert not origins(compared(0.07, {"value": mixed, "ffn": mixed}, layers=30))


def test_the_profile_tells_a_wrong_rotation_from_a_permutation() -> None:
    at = [i for i, s in enumerate(compared().stages) if s.block == "heads"][1]
    rotated = changed(compared(), at, own=0.6, profile=(1e-4, 0.03, 0.1, 0.8))
    permuted = changed(compared(), at, own=0.9, profile=(1e-4, 0.9, 0.8, 0.9))
    for seen, grows in ((rotated, True), (permuted, False)):
        (found,) = origins(seen)
        assert found.grows is grows
        assert found.at_start < 0.01


def test_a_wrong_value_is_wrong_at_the_first_position_too() -> None:
    (found,) = origins(compared(wrong={"value": {2: 1.4}}))
    assert found.at_start == pytest.approx(1.0)


@pytest.mark.parametrize("own", [math.nan, math.inf])
@pytest.mark.parametrize("at", [0, 5, 20, -1])
def test_an_error_that_is_no_number_never_passes(own: float, at: int) -> None:
    assert judged(changed(compared(), at, own=own)).outcome is Outcome.FALSIFIED


def test_nan_in_the_candidate_names_its_first_place() -> None:
    lost = statistics("gate", 1, nonfinite=3)
    at = next(i for i, s in enumerate(compared().stages) if (s.block, s.layer) == ("gate", 1))
    verdict = judged(changed(compared(), at, own=math.nan, candidate=lost))
    assert verdict.outcome is Outcome.FALSIFIED
    assert verdict.reason.startswith("layer 1: the feed-forward gate: 3 values are NaN or Inf")


def test_nan_in_both_is_no_agreement() -> None:
    lost = statistics("gate", 1, nonfinite=3)
    seen = changed(compared(), 17, own=math.nan, candidate=lost, reference=lost)
    assert judged(seen).outcome is Outcome.FALSIFIED


def test_another_width_is_falsified_with_both_widths() -> None:
    verdict = judged(changed(compared(), 3, candidate=statistics("heads", 0, width=12)))
    assert verdict.outcome is Outcome.FALSIFIED
    assert "is 12 wide, the reference's 16" in verdict.reason


def test_no_stage_is_no_pass() -> None:
    assert judged(replace(compared(), stages=())).outcome is Outcome.FALSIFIED


def test_a_reference_of_zeros_is_no_pass() -> None:
    seen = compared(0.0)
    dead = (replace(s, reference=replace(s.reference, rms=0.0), own=0.0) for s in seen.stages)
    assert judged(replace(seen, stages=tuple(dead))).outcome is Outcome.FALSIFIED
