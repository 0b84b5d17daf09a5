"""Loss curves and learning rates: healthy ones hold, planted faults are found by name."""

from __future__ import annotations

import math
import random

import pytest

from training.loop.curve import falling, finite, scheduled, smooth
from training.loop.schedules import KINDS, rate


def noisy(count: int = 200, seed: int = 0) -> list[float]:
    """A curve as training has it: falling, with the noise of small batches."""
    rng = random.Random(seed)
    return [0.7 + 2.0 * math.exp(-8 * i / count) + rng.gauss(0, 0.08) for i in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_healthy_noisy_curves_hold_every_check(seed: int) -> None:
    losses = noisy(seed=seed)
    assert finite(losses).passed
    assert smooth(losses).passed
    assert falling(losses).passed


def test_negative_nan_at_step_20_is_named_with_its_step() -> None:
    losses = noisy()
    losses[19] = math.nan
    assert not finite(losses).passed
    assert "step 20" in finite(losses).reason
    assert not smooth(losses).passed
    assert not falling(losses).passed


def test_negative_spikes_are_not_smooth() -> None:
    losses = noisy()
    for at in (50, 90, 150):
        losses[at] = 6.0
    assert not smooth(losses).passed
    assert "first at step 51" in smooth(losses).reason


def test_negative_a_run_that_diverges_does_not_fall() -> None:
    assert not falling(noisy()[::-1]).passed


def test_negative_a_flat_curve_does_not_fall() -> None:
    assert not falling([1.0] * 40).passed


@pytest.mark.parametrize("check", [finite, smooth, falling])
def test_negative_nothing_recorded_is_no_pass(check: object) -> None:
    assert callable(check)
    assert not check([]).passed


def test_few_steps_cannot_tell() -> None:
    assert not smooth([1.0] * 7).passed
    assert "8 would" in falling([1.0] * 7).reason


@pytest.mark.parametrize("kind", KINDS)
def test_rates_are_those_of_the_library(kind: str) -> None:
    import torch
    from transformers import get_scheduler

    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=2e-4)
    schedule = get_scheduler(kind, optimizer, num_warmup_steps=10, num_training_steps=60)
    for step in range(60):
        wanted = rate(step, kind=kind, peak=2e-4, warmup=10, total=60)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(wanted, rel=1e-12, abs=1e-18)
        optimizer.step()
        schedule.step()


def rates(**how: object) -> list[float]:
    given: dict[str, object] = {"kind": "cosine", "peak": 2e-4, "warmup": 10, "total": 60, **how}
    return [rate(step, **given) for step in range(60)]  # type: ignore[arg-type]


def test_the_configured_schedule_holds() -> None:
    found = scheduled(rates(), kind="cosine", peak=2e-4, warmup=10)
    assert found.passed
    assert "60 steps" in found.reason


@pytest.mark.parametrize(
    "wrong", [{"peak": 1e-4}, {"kind": "linear"}, {"warmup": 5}, {"total": 120}]
)
def test_negative_another_schedule_is_found(wrong: dict[str, object]) -> None:
    assert not scheduled(rates(**wrong), kind="cosine", peak=2e-4, warmup=10).passed


def test_negative_nan_rates_are_found() -> None:
    found = [*rates()[:-1], math.nan]
    assert not scheduled(found, kind="cosine", peak=2e-4, warmup=10).passed
    assert not scheduled([], kind="cosine", peak=2e-4, warmup=10).passed


def test_an_unknown_schedule_is_no_rate() -> None:
    with pytest.raises(ValueError, match="polynomial"):
        rate(0, kind="polynomial", peak=1.0, warmup=0, total=1)
