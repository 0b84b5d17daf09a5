"""The judge of one model's trace: each fault is named, and a healthy trace passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_modelqa.checks.trace_payload import PayloadOutput, TracePayload
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.check import Check
from pytest_modelqa.core.stages import Block, StageStatistics, Traced
from pytest_modelqa.core.verdict import Outcome, Verdict

BLOCKS: tuple[Block, ...] = ("attention_norm", "attention", "ffn_norm", "ffn", "output")

ANSWER = Generation(
    prompt_tokens=8,
    ids=(5, 6, 7),
    text="The capital of France is Paris.",
    finish="stop",
    nonfinite_steps=0,
    special_ids=0,
    prefill_s=0.1,
    decode_s=0.1,
)


def stage(block: Block, layer: int = -1) -> StageStatistics:
    return StageStatistics(
        block=block,
        layer=layer,
        positions=8,
        width=16,
        nonfinite=0,
        rms=1.0,
        typical=1.0,
        mean=0.0,
        max_abs=20000.0,
        across=0.8,
        within=0.9,
    )


def traced(at: int = -1, **changes: Any) -> Traced:
    """Three layers; the stage `at` has other fields."""
    stages = [stage("embedding"), *(stage(b, n) for n in range(3) for b in BLOCKS)]
    stages += [stage("final_norm"), stage("logits")]
    if changes:
        stages[at] = replace(stages[at], **changes)
    return Traced(
        ids=tuple(range(8)),
        stages=tuple(stages),
        top1=(3, 4, 5, 6, 7, 8, 9, 10),
        greedy=(5, 6, 7),
        pad_id=0,
    )


def judged(seen: Traced) -> Verdict:
    return TracePayload().judge({"trace": seen})


def output(seen: Traced, answer: Generation = ANSWER) -> Verdict:
    return PayloadOutput().judge({"trace": seen, "answer": answer})


def test_both_are_checks_with_the_seeds_gates() -> None:
    checks: tuple[Check, ...] = (TracePayload(), PayloadOutput())
    assert [c.gate for c in checks] == ["F-TRACE-PAYLOAD-001", "F-TRACE-PAYLOAD-002"]


def test_a_healthy_trace_with_huge_activations_passes() -> None:
    verdict = judged(traced())
    assert verdict.outcome is Outcome.CORROBORATED
    assert verdict.tested == 18


@pytest.mark.parametrize(
    ("at", "changes", "words"),
    [
        (7, {"nonfinite": 1}, "layer 1 attention: 1 of 128 values are NaN or Inf"),
        (6, {"rms": 0.0, "typical": 0.0}, "norm's weights were zeroed"),
        (9, {"rms": 0.0, "typical": 0.0}, "layer 1 ffn: all values are 0"),
        (9, {"typical": 1e-5}, "layer 1 ffn: dead"),
        (8, {"within": 0.0}, "layer 1 ffn_norm: a norm's output that is the same"),
        (10, {"across": 0.0}, "layer 1 output: the same values at every position"),
        (10, {"typical": 100.0}, "layer 1 output: exploding, 100 times"),
    ],
)
def test_each_fault_is_named_with_its_place(at: int, changes: dict[str, Any], words: str) -> None:
    verdict = judged(traced(at, **changes))
    assert verdict.outcome is Outcome.FALSIFIED
    assert words in verdict.reason


def test_nan_comes_before_what_follows_from_it() -> None:
    seen = traced(12, nonfinite=9)
    first = replace(seen.stages[2], rms=0.0)
    both = replace(seen, stages=(*seen.stages[:2], first, *seen.stages[3:]))
    assert "NaN" in judged(both).reason


def test_growth_from_the_embedding_is_allowed_more() -> None:
    healthy = traced(0, typical=0.05)
    assert judged(healthy).outcome is Outcome.CORROBORATED
    assert judged(traced(0, typical=1e-3)).outcome is Outcome.FALSIFIED


def test_nothing_traced_is_no_pass_and_a_short_prompt_decides_nothing() -> None:
    assert judged(replace(traced(), stages=())).outcome is Outcome.FALSIFIED
    assert judged(replace(traced(), ids=(1, 2))).outcome is Outcome.INCONCLUSIVE


def test_healthy_output_passes() -> None:
    assert output(traced()).outcome is Outcome.CORROBORATED


Change = Callable[[Traced], Traced]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: replace(t, top1=(0,) * 5 + (3, 4, 5)), "padding (id 0) is the likeliest"),
        (lambda t: replace(t, greedy=(0, 0, 0)), "all 3 generated ids are padding"),
        (lambda t: replace(t, top1=(7,) * 8), "id 7 is the likeliest at each of 8"),
        (lambda t: replace(t, top1=(3, -1, 4, 5, 6, 7, 8, 9)), "hold NaN"),
        (lambda t: replace(t, top1=()), "no logits"),
    ],
)
def test_floods_and_lost_logits_are_named(change: Change, words: str) -> None:
    verdict = output(change(traced()))
    assert verdict.outcome is Outcome.FALSIFIED
    assert words in verdict.reason


def test_a_garbage_answer_is_falsified() -> None:
    garbage = replace(ANSWER, text="olumbia " * 12, ids=tuple(range(36)))
    assert output(traced(), garbage).outcome is Outcome.FALSIFIED


def test_a_model_without_padding_cannot_flood() -> None:
    assert output(replace(traced(), pad_id=-1, greedy=())).outcome is Outcome.CORROBORATED
