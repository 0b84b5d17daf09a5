"""Learning-rate schedules of transformers, torch and this project, run with a real optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR, StepLR
from transformers.optimization import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

from training.ci_light.train import Recipe, schedule

_LINEAR: Any = get_linear_schedule_with_warmup  # without annotations in transformers

PEAK, WARMUP, STEPS = 1e-3, 10, 100

Scheduler = Callable[[torch.optim.Optimizer], Any]


def scheduler(name: str) -> Scheduler:
    """The schedule of a name, with warm-up but for "step" (torch's own, every 30 by 0.1)."""
    made: dict[str, Scheduler] = {
        "cosine": lambda o: get_cosine_schedule_with_warmup(o, WARMUP, STEPS),
        "linear": lambda o: _LINEAR(o, WARMUP, STEPS),
        "constant": lambda o: get_constant_schedule_with_warmup(o, WARMUP),
        "step": lambda o: StepLR(o, step_size=30, gamma=0.1),
    }
    return made[name]


def optimizer(kind: str = "adamw") -> torch.optim.Optimizer:
    """A real optimizer over one weight of ones."""
    weight = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    if kind == "sgd":
        return torch.optim.SGD([weight], lr=PEAK)
    return torch.optim.AdamW([weight], lr=PEAK, weight_decay=0.0)


def weight_of(held: torch.optim.Optimizer) -> torch.nn.Parameter:
    """The one weight of the optimizer."""
    found: torch.nn.Parameter = held.param_groups[0]["params"][0]
    return found


def step(held: torch.optim.Optimizer) -> None:
    """One step on a gradient of ones."""
    weight = weight_of(held)
    weight.grad = torch.ones_like(weight)
    held.step()


def rates(make: Scheduler, steps: int = STEPS) -> list[float]:
    """The rate that the optimizer held in each step, and the one after the last."""
    held = optimizer()
    plan = make(held)
    seen = []
    for _ in range(steps):
        seen.append(float(held.param_groups[0]["lr"]))
        step(held)
        plan.step()
    return [*seen, float(held.param_groups[0]["lr"])]


def updates(make: Scheduler, steps: int = STEPS) -> list[float]:
    """By how much plain gradient descent moved the weight in each step, on a gradient of ones."""
    held = optimizer("sgd")
    plan = make(held)
    moved = []
    for _ in range(steps):
        before = weight_of(held)[0].item()
        step(held)
        plan.step()
        moved.append(before - weight_of(held)[0].item())
    return moved


def resumed(make: Scheduler, at: int, *, with_schedule: bool = True) -> list[float]:
    """The rates of a run that was saved at a step, and loaded into new objects.

    Without the schedule's state, only the optimizer's is loaded: a planted mistake.
    """
    first, seen = optimizer(), []
    plan = make(first)
    for _ in range(at):
        seen.append(float(first.param_groups[0]["lr"]))
        step(first)
        plan.step()
    saved, progress = first.state_dict(), plan.state_dict()
    second = optimizer()
    again = make(second)
    second.load_state_dict(saved)
    if with_schedule:
        again.load_state_dict(progress)
    for _ in range(STEPS - at):
        seen.append(float(second.param_groups[0]["lr"]))
        step(second)
        again.step()
    return [*seen, float(second.param_groups[0]["lr"])]


class ReadsModifiedRate:
    """The older suite's mistake: warm-up as a part of the rate that it has itself changed."""

    def __init__(self, held: torch.optim.Optimizer) -> None:
        self.held, self.done = held, 0

    def step(self) -> None:
        """Scale the present rate, not the initial one."""
        self.done += 1
        for group in self.held.param_groups:
            group["lr"] *= min(1.0, self.done / WARMUP)


def off_by_one(held: torch.optim.Optimizer) -> LambdaLR:
    """A planted mistake: the rate of the next step."""
    warm: Callable[[int], float] = lambda s: min(1.0, (s + 1) / WARMUP)  # noqa: E731 - LambdaLR's own
    return LambdaLR(held, warm)


def of_ci_light(recipe: Recipe | None = None) -> list[float]:
    """The rates of the project's own training of ci-light, every step and the end."""
    held = recipe or Recipe()
    return [held.peak_rate * schedule(at, held) for at in range(held.steps + 1)]
