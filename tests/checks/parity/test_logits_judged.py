"""What logits parity concludes: from chosen numbers, without an engine."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from pytest_modelqa.checks.parity.logits import LogitsParity
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.comparison.logits import NoiseMeasured
from pytest_modelqa.core.verdict import Outcome
from tests.checks.parity.answers import NOISE, QUIET, compared, spread, texts

CHECK = LogitsParity(prompts=("a", "b"))


def judged(answers: dict[str, Any], **parameters: Any) -> tuple[Outcome, str]:
    verdict = replace(CHECK, **parameters).judge(answers)
    return verdict.outcome, verdict.reason


def test_a_mean_is_beyond_a_limit_only_with_its_whole_interval() -> None:
    limit = {"max_kl": 1e-3}
    assert judged(spread(1e-4, 1.1e-4, 0.9e-4), **limit)[0] is Outcome.CORROBORATED
    assert judged(spread(2e-3, 2.1e-3, 1.9e-3), **limit)[0] is Outcome.FALSIFIED
    outcome, reason = judged(spread(1e-4, 3e-3, 2e-4), **limit)
    assert outcome is Outcome.INCONCLUSIVE
    assert "prompts would decide" in reason


def test_more_of_the_same_decides_what_few_could_not() -> None:
    few, many = spread(7e-4, 9e-4), spread(*[7e-4, 9e-4] * 12)
    assert judged(few, max_kl=1e-3)[0] is Outcome.INCONCLUSIVE
    assert judged(many, max_kl=1e-3)[0] is Outcome.CORROBORATED


def test_a_system_prompt_that_all_share_counts_once() -> None:
    shared = (0.5,) * 30 + (1e-6,) * 10
    ids = tuple(range(30))
    apart = [compared(0, shared, ids=(*ids, *range(n, n + 10))) for n in (100, 200, 300)]
    verdict = CHECK.judge(texts(*apart))
    assert "60 positions of 3 texts" in verdict.reason
    assert verdict.tested == 120


@pytest.mark.parametrize("metric", ["kl", "js", "cosine", "nmse", "max_abs", "topk"])
def test_a_position_without_a_number_falsifies_whatever_the_limits(metric: str) -> None:
    values = getattr(compared(1), metric)
    broken = compared(1, **({metric: (math.nan, *values[1:])} if metric != "kl" else {}))
    if metric == "kl":
        broken = compared(1, (math.nan, *values[1:]))
    outcome, reason = judged(texts(compared(2), broken))
    assert outcome is Outcome.FALSIFIED
    assert f"{metric} is no number" in reason


@pytest.mark.parametrize("side", ["candidate", "reference"])
def test_nan_and_inf_in_logits_falsify(side: str) -> None:
    bad: dict[str, Any] = {f"{side}_nonfinite": 3}
    outcome, reason = judged(texts(compared(1), compared(2, **bad)))
    assert outcome is Outcome.FALSIFIED
    assert f"3 of the {side}'s logits are NaN or Inf" in reason


def test_missing_positions_falsify() -> None:
    short = replace(compared(2), kl=(1e-6,))
    outcome, reason = judged(texts(compared(1), short))
    assert outcome is Outcome.FALSIFIED
    assert "1 values of kl for 40 ids" in reason


def test_another_vocabulary_falsifies_and_padding_is_named() -> None:
    other: dict[str, Any] = {"candidate_vocabulary": 990, "compared": 990, "extra": "reference"}
    lacking = compared(2, extra_is_padding=False, extra_example="id 990 ('x')", **other)
    outcome, reason = judged(texts(compared(1, **other), lacking))
    assert outcome is Outcome.FALSIFIED
    assert "the reference alone has id 990 ('x')" in reason
    outcome, reason = judged(texts(compared(1, **other), compared(2, **other)))
    assert outcome is Outcome.CORROBORATED
    assert "990 are compared and the rest is padding" in reason


def test_padding_that_is_the_best_id_falsifies() -> None:
    other: dict[str, Any] = {"candidate_vocabulary": 1064, "extra": "candidate", "extra_chosen": 2}
    outcome, reason = judged(texts(compared(1), compared(2, **other)))
    assert outcome is Outcome.FALSIFIED
    assert "padding is the best id at 2 positions" in reason


def test_ids_that_a_side_lacks_falsify() -> None:
    nothing = replace(compared(1), unknown=(999,), kl=(), js=())
    outcome, reason = judged(texts(nothing))
    assert outcome is Outcome.FALSIFIED
    assert "id 999 is outside a vocabulary" in reason


def test_a_limit_is_never_below_the_reference_s_own_noise() -> None:
    answers = spread(1e-6, 1.1e-6)
    assert judged(answers, max_kl=1e-9, max_kl_max=1e-9)[0] is Outcome.FALSIFIED
    loud = replace(QUIET, kl_mean=1e-5, kl_max=1e-5)
    answers["noise@f16"] = replace(NOISE, reference=(loud,))
    outcome, reason = judged(answers, max_kl=1e-9, max_kl_max=1e-9)
    assert outcome is Outcome.CORROBORATED
    assert "limit 1e-05" in reason


@pytest.mark.parametrize(
    "noise",
    [
        NoiseMeasured(positions=0, reference=(), candidate=()),
        replace(NOISE, reference=(replace(QUIET, kl_max=math.nan),)),
    ],
)
def test_a_noise_that_was_not_measured_is_no_floor(noise: NoiseMeasured) -> None:
    answers = {**spread(1e-6, 1.1e-6), "noise@f16": noise}
    assert judged(answers)[0] is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("limit", "good", "bad"),
    [
        ("max_kl_max", {"kl": (1e-5,) * 40}, {"kl": (*(1e-5,) * 39, 3.0)}),
        ("min_cosine", {}, {"cosine": (*(0.9999,) * 39, 0.5)}),
        ("max_nmse", {}, {"nmse": (*(1e-5,) * 39, 0.9)}),
        ("max_difference", {}, {"max_abs": (*(0.01,) * 39, 9.0)}),
    ],
)
def test_what_is_asked_of_every_position_one_position_refutes(
    limit: str, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    value = {"max_kl_max": 0.1, "min_cosine": 0.99, "max_nmse": 0.01, "max_difference": 1.0}
    own = {limit: value[limit], "max_kl": 10.0, "max_kl_p99": 20.0}
    assert judged(texts(compared(1), compared(2, **good)), **own)[0] is not Outcome.FALSIFIED
    assert judged(texts(compared(1), compared(2, **bad)), **own)[0] is Outcome.FALSIFIED


def test_equal_best_ids_are_a_share_with_an_interval() -> None:
    flipped = {"candidate_top1": (6,) * 40}
    alike = texts(*(compared(n) for n in range(50, 60)))
    assert judged(alike, min_top1=0.99)[0] is Outcome.CORROBORATED
    assert judged(alike, min_top1=0.999)[0] is Outcome.INCONCLUSIVE
    broken = texts(*(compared(n, **flipped) for n in range(50, 60)))
    assert judged(broken, min_top1=0.5)[0] is Outcome.FALSIFIED


def test_the_overlap_of_the_likeliest_gates_where_it_is_bounded() -> None:
    half = texts(*(compared(n, topk=(0.5,) * 40) for n in (50, 60, 70)))
    assert judged(half)[0] is Outcome.CORROBORATED
    assert judged(half, min_topk=0.9)[0] is Outcome.FALSIFIED
    assert judged(half, min_topk=0.4)[0] is Outcome.CORROBORATED


def test_a_percentile_needs_positions_and_says_how_many() -> None:
    many = texts(*(compared(1000 + n) for n in range(10)))
    assert judged(many, max_kl_p99=1e-3)[0] is Outcome.CORROBORATED
    outcome, reason = judged(spread(1e-5, 1e-5), max_kl_p99=1e-3)
    assert outcome is Outcome.INCONCLUSIVE
    assert "299 positions would decide" in reason
    tail = texts(*(compared(1000 + n, (*(1e-5,) * 36, *(0.5,) * 4)) for n in range(10)))
    assert judged(tail, max_kl_p99=1e-3, max_kl=1.0)[0] is Outcome.FALSIFIED


def test_what_breaks_beyond_a_length_does_not_drown_in_what_came_before() -> None:
    ids = tuple(range(256))
    sound = compared(0, (1e-5,) * 128, ids=ids[:128])
    broken = compared(0, (*(1e-5,) * 128, *(5e-3,) * 128), ids=ids)
    answers = spread(*[1e-5, 1.1e-5] * 20)
    answers |= {"length 128@f16": sound, "length 256@f16": broken}
    outcome, reason = judged(answers, max_kl=1e-3)
    assert outcome is Outcome.FALSIFIED
    assert reason.startswith("mean KL at tokens 128 to 256 0.005")


def test_an_engine_that_failed_is_its_failure_and_a_length_too_far_no_pass() -> None:
    crash = {**spread(1e-5, 1e-5), "prompt 2@f16": Failure(cause="crashed", reason="signal 11")}
    assert judged(crash)[0] is Outcome.CRASHED
    far = Failure(cause="unavailable", reason="the context holds 512")
    assert judged({**spread(1e-5, 1.1e-5), "length 9@f16": far})[0] is Outcome.UNAVAILABLE
    broken = {**texts(compared(1, candidate_nonfinite=1)), "length 9@f16": far}
    assert judged(broken)[0] is Outcome.FALSIFIED


def test_nothing_compared_is_no_pass() -> None:
    assert judged({"noise@f16": NOISE})[0] is Outcome.INCONCLUSIVE


def test_a_type_without_a_budget_needs_a_limit_of_the_playbook() -> None:
    answers = texts(compared(1), compared(2), quantization="mystery")
    outcome, reason = judged(answers)
    assert outcome is Outcome.INCONCLUSIVE
    assert "nothing bounds it" in reason
    assert judged(answers, max_kl=0.1)[0] is Outcome.CORROBORATED


def test_the_playbook_s_limit_goes_before_the_budget_s() -> None:
    budget = {"quantizations": {"f16": {"limits": {"max_kl": 1e-9}}}}
    outcome, reason = judged(spread(1e-5, 1.1e-5), budget=budget)
    assert outcome is Outcome.FALSIFIED
    assert "calibrated for f16" in reason
    assert judged(spread(1e-5, 1.1e-5), budget=budget, max_kl=1e-3)[0] is Outcome.CORROBORATED
