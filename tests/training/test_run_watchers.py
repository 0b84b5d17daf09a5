"""Warning signs: each crosses its own bound alone, and a healthy run shows none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from training.config.values import WatchSection
from training.loop.history import step_of_record, steps_of
from training.loop.watchers import Step, not_finite, recent_loss, signs

WATCH = WatchSection(memory_gb=8.0)
HEALTHY = Step(
    step=1,
    epoch=0.02,
    loss=0.9,
    gradient_norm=0.6,
    learning_rate=1e-4,
    memory_bytes=4 * 10**9,
    elapsed_s=1.0,
    tokens=100,
)


def run_of(losses: list[float], **last: Any) -> list[Step]:
    """A run of these losses over two epochs; `last` replaces values of its last step."""
    count = len(losses)
    steps = [
        replace(HEALTHY, step=i + 1, epoch=2 * (i + 1) / count, loss=loss)
        for i, loss in enumerate(losses)
    ]
    return [*steps[:-1], replace(steps[-1], **last)]


def names(history: list[Step], watch: WatchSection = WATCH) -> list[str]:
    return [sign.name for sign in signs(history, watch)]


def test_a_healthy_run_shows_no_sign_at_any_step() -> None:
    history = run_of([2.5 - 1.7 * i / 100 for i in range(100)])
    assert not [s for i in range(101) for s in signs(history[:i], WATCH) if i < 40]
    assert not names(history)


@pytest.mark.parametrize(
    ("name", "history"),
    [
        ("high-loss", run_of([2.0] * 100)),
        ("low-loss", run_of([0.3] * 100)),
        ("gradient-norm", run_of([0.9] * 100, gradient_norm=5.1)),
        ("memory", run_of([0.9] * 100, memory_bytes=8.1e9)),
        ("not-finite", run_of([0.9] * 19 + [math.nan])),
        ("not-finite", run_of([0.9] * 19 + [math.inf])),
        ("not-finite", run_of([0.9] * 100, gradient_norm=math.nan)),
    ],
)
def test_negative_each_sign_is_found_by_its_own_name(name: str, history: list[Step]) -> None:
    assert names(history) == [name]


def test_nan_at_step_20_is_named_with_its_step_and_stops() -> None:
    (sign,) = signs(run_of([0.9] * 19 + [math.nan]), WATCH)
    assert (sign.step, sign.action) == (20, "stop")
    assert "learning_rate" in sign.message
    assert "step 20" in sign.message


def test_a_high_loss_before_the_end_of_the_first_epoch_is_no_sign() -> None:
    history = run_of([2.0] * 100)
    assert not names(history[:49])
    assert names(history[:50]) == ["high-loss"]


def test_the_first_steps_of_a_short_run_do_not_count_as_its_loss() -> None:
    history = run_of([5.0] * 6 + [0.8] * 6)
    assert recent_loss(history) == pytest.approx(0.8)


def test_few_steps_are_not_learnt_by_heart() -> None:
    assert not names(run_of([0.3] * 19)[:9])


def test_an_action_that_is_off_is_no_sign_and_others_keep_theirs() -> None:
    watch = replace(WATCH, on_high_loss="off", on_gradient_norm="stop")
    history = run_of([2.0] * 100, gradient_norm=9.0)
    assert [(s.name, s.action) for s in signs(history, watch)] == [("gradient-norm", "stop")]


def test_no_memory_bound_means_none() -> None:
    assert not names(run_of([0.9] * 100, memory_bytes=9e12), replace(WATCH, memory_gb=0.0))


def test_a_run_of_no_steps_has_no_loss_and_no_signs() -> None:
    assert math.isnan(recent_loss([]))
    assert not signs([], WATCH)


def test_finite_values_are_no_reason_to_stop() -> None:
    assert not_finite(3, 0.5, 1.0) is None


def test_records_of_evaluations_are_no_steps() -> None:
    record = {
        "step": 7, "epoch": 0.5, "loss": 1.0, "grad_norm": 0.4, "learning_rate": 1e-4,
        "memory_bytes": 5, "elapsed_s": 2.0, "tokens": 30,
    }  # fmt: skip
    evaluation = {"step": 7, "epoch": 0.5, "eval_loss": 1.0}
    assert step_of_record(evaluation) is None
    assert [s.step for s in steps_of([record, evaluation, {"train_loss": 1.0}])] == [7]
