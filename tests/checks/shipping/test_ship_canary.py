"""A canary is decided by what ships; the trail says where it was lost."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_modelqa.core.verdict import Outcome, Verdict
from pytest_modelqa.core.wire import decode, encode
from tests.checks.shipping.shipped import CRASH, TIMEOUT, canary, cell, said

YES, NO = said("yes"), said("no")


def trail(baseline: Any, *answers: Any) -> Verdict:
    """Stages f16, q8_0, q4_k_m as far as there are answers; with a baseline bf16 or without."""
    names = ("f16", "q8_0", "q4_k_m")[-len(answers) :]
    heard = {f"stage|gguf-{name}": a for name, a in zip(names, answers, strict=True)}
    if baseline is not None:
        heard["baseline|gguf-bf16"] = baseline
    return canary(*names, baseline="bf16" if baseline is not None else "").judge(heard)


def test_a_canary_that_every_stage_passes() -> None:
    verdict = trail(YES, YES, YES, YES)
    assert verdict.outcome is Outcome.CORROBORATED
    assert verdict.trail is not None
    stages = [s.stage for s in verdict.trail.stages]
    assert stages == ["baseline gguf-bf16", "gguf-f16", "gguf-q8_0", "gguf-q4_k_m"]
    assert (verdict.trail.lost_at, verdict.trail.regression) == ("", False)
    assert decode(Verdict, encode(verdict)) == verdict


@pytest.mark.parametrize(
    ("answers", "lost_at"),
    [
        ((YES, YES, NO), "gguf-q4_k_m"),
        ((YES, NO, NO), "gguf-q8_0"),
        ((NO, NO, NO), ""),
        ((CRASH, YES, NO), "gguf-q4_k_m"),
        ((YES, CRASH, NO), "gguf-q4_k_m"),
    ],
)
def test_ship_negative_a_lost_canary_names_the_stage(answers: tuple[Any], lost_at: str) -> None:
    verdict = trail(None, *answers)
    assert verdict.outcome is Outcome.FALSIFIED
    assert verdict.trail is not None
    assert verdict.trail.lost_at == lost_at
    assert (f"lost at {lost_at}" in verdict.reason) is bool(lost_at)


def test_ship_negative_what_the_baseline_passes_and_the_candidate_fails_is_a_regression() -> None:
    verdict = trail(YES, NO, NO, NO)
    assert verdict.trail is not None
    assert verdict.trail.regression
    assert verdict.trail.lost_at == "gguf-f16"
    assert "a regression: the baseline passes" in verdict.reason
    assert "baseline gguf-bf16: passes: 'yes'" in verdict.detail
    assert "gguf-q4_k_m: falsified: 'no'" in verdict.detail
    both = trail(NO, NO, NO, NO)
    assert both.trail is not None
    assert not both.trail.regression


@pytest.mark.parametrize(
    ("ours", "outcome"), [(CRASH, Outcome.CRASHED), (TIMEOUT, Outcome.TIMEOUT)]
)
def test_ship_negative_no_answer_of_what_ships_is_no_pass(ours: Any, outcome: Outcome) -> None:
    verdict = trail(YES, YES, YES, ours)
    assert verdict.outcome is outcome
    assert verdict.tested == 0
    assert verdict.trail is not None
    assert verdict.trail.stages[-1].passed is None
    assert not verdict.trail.regression


def test_ship_negative_an_answer_that_never_came_is_no_pass() -> None:
    assert canary("q4_k_m").judge({}).outcome is Outcome.INCONCLUSIVE


def test_a_stage_without_an_answer_is_told() -> None:
    verdict = trail(None, CRASH, YES, YES)
    assert verdict.outcome is Outcome.CORROBORATED
    assert "no answer of gguf-f16" in verdict.reason


def test_what_was_lost_and_found_again_is_told() -> None:
    verdict = trail(None, YES, NO, YES)
    assert verdict.outcome is Outcome.CORROBORATED
    assert "lost at gguf-q8_0, and found again" in verdict.reason


def test_ship_negative_a_baseline_that_is_a_stage_stands_at_its_place() -> None:
    """safetensors fails, f16 and q8_0 pass, q4_k_m fails: quantisation lost it."""
    names = ("bf16", "f16", "q8_0", "q4_k_m")
    heard = {f"stage|gguf-{n}": a for n, a in zip(names, (NO, YES, YES, NO), strict=True)} | {
        "baseline|gguf-f16": YES
    }
    verdict = canary(*names, baseline="f16").judge(heard)
    assert verdict.trail is not None
    assert verdict.trail.lost_at == "gguf-q4_k_m"
    assert verdict.trail.regression


def test_it_asks_every_stage_and_the_baseline_the_same() -> None:
    check = canary("f16", "q4_k_m", baseline="bf16")
    asked = check.questions()
    keys = [c.artifact.key for c, _ in asked.values()]
    assert keys == ["gguf-f16", "gguf-q4_k_m", "gguf-bf16"]
    assert len({request for _, request in asked.values()}) == 1
    assert list(check.requests(cell())) == ["stage|gguf-q4_k_m"]
