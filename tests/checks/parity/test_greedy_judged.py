"""What greedy parity concludes: near-ties, flips, too many near-ties, and what is neither."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from pytest_modelqa.checks.parity.greedy import GreedyParity, near_tie
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.comparison.greedy import GreedyCompared
from pytest_modelqa.core.verdict import Outcome, Verdict
from tests.checks.parity.answers import continued, greedy, parting

PROMPTS = tuple(f"prompt {n}" for n in range(10))


def judged(
    *answers: GreedyCompared | Failure, quantization: str = "q8_0", **parameters: Any
) -> Verdict:
    check = GreedyParity(prompts=PROMPTS[: len(answers)], **parameters)
    return check.judge({f"greedy {n}@{quantization}": a for n, a in enumerate(answers)})


TIE = parting(margin=0.05, moved=0.2, step=20)


def test_equal_texts_are_corroborated_and_counted() -> None:
    verdict = judged(*[greedy()] * 10)
    assert verdict.outcome is Outcome.CORROBORATED
    assert verdict.tested == 240


def test_a_near_tie_is_no_defect_but_is_told_with_both_texts() -> None:
    verdict = judged(*[greedy()] * 9, greedy(TIE))
    assert verdict.outcome is Outcome.CORROBORATED
    assert "' Paris' became ' Lyon'" in verdict.reason
    assert "uncalibrated ceiling for q8_0" in verdict.reason
    assert "reference: 'Paris.'" in verdict.detail
    assert "candidate: 'Lyon, which is'" in verdict.detail


@pytest.mark.parametrize(("margin", "moved"), [(3.0, 3.5), (0.1, 9.0)])
def test_a_choice_with_a_margin_or_a_gap_that_moved_far_is_a_flip(
    margin: float, moved: float
) -> None:
    verdict = judged(*[greedy()] * 9, greedy(parting(margin=margin, moved=moved)))
    assert verdict.outcome is Outcome.FALSIFIED
    assert "1 of 10 texts are flipped beyond a near-tie of 2" in verdict.reason


def test_the_tolerance_of_the_playbook_goes_before_the_budget_s() -> None:
    answers = [*[greedy()] * 9, greedy(TIE)]
    assert judged(*answers, tolerance=0.1).outcome is Outcome.FALSIFIED
    budget = {"quantizations": {"q8_0": {"limits": {"tolerance": 0.1}}}}
    assert judged(*answers, budget=budget).outcome is Outcome.FALSIFIED
    assert judged(*answers, budget=budget, tolerance=0.5).outcome is Outcome.CORROBORATED


def test_near_ties_are_capped_or_a_broken_model_would_hide_behind_them() -> None:
    often = greedy(parting(margin=0.05, moved=0.2, step=1))
    assert judged(*[often] * 10).outcome is Outcome.FALSIFIED
    some = greedy(parting(margin=0.05, moved=0.2, step=5))
    assert judged(*[some] * 10).outcome is Outcome.INCONCLUSIVE
    assert judged(*[some] * 10, max_near_ties=0.5).outcome is Outcome.CORROBORATED
    assert judged(*[greedy(TIE)] * 10).outcome is Outcome.CORROBORATED


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_margin_that_is_no_number_is_no_near_tie(bad: float) -> None:
    assert not near_tie(parting(margin=0.0, moved=bad), 5.0)
    assert not near_tie(parting(margin=bad, moved=0.0), 5.0)
    assert judged(greedy(parting(margin=0.1, moved=bad))).outcome is Outcome.FALSIFIED


@pytest.mark.parametrize("side", ["candidate", "reference"])
def test_nan_at_a_step_falsifies(side: str) -> None:
    broken_side: dict[str, Any] = {side: continued(nonfinite_step=2)}
    broken = replace(greedy(equal=2), **broken_side)
    verdict = judged(*[greedy()] * 9, broken)
    assert verdict.outcome is Outcome.FALSIFIED
    assert f"NaN or Inf in the {side}'s logits at step 2" in verdict.reason


def test_a_prompt_that_cannot_be_asked_falsifies() -> None:
    assert judged(greedy(equal=0, unknown=(999,))).outcome is Outcome.FALSIFIED


def test_missing_and_empty_answers_are_no_pass() -> None:
    check = GreedyParity(prompts=PROMPTS)
    assert check.judge({}).outcome is Outcome.FALSIFIED
    assert check.judge({"greedy 0@f16": greedy()}).outcome is Outcome.FALSIFIED
    assert judged(greedy(equal=0)).outcome is Outcome.FALSIFIED


def test_a_failure_is_its_verdict() -> None:
    crash = Failure(cause="crashed", reason="signal 11")
    assert judged(greedy(), crash).outcome is Outcome.CRASHED


def test_a_type_without_a_budget_says_what_is_missing() -> None:
    verdict = judged(*[greedy()] * 9, greedy(TIE), quantization="mystery")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nothing says what a near-tie is" in verdict.reason
    assert judged(*[greedy()] * 9, quantization="mystery").outcome is Outcome.CORROBORATED
