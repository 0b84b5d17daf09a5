"""Warning signs of a run that goes wrong, told while it runs; pure, over what each step measured.

The signs are those that practice with LoRA names: a loss that stays high after the first epoch
learnt little, a very low one learnt by heart, a large gradient norm explodes, memory near its bound
is about to end the process, and NaN is never repaired. Bounds and actions: section `watch`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from training.config.values import WatchSection

WINDOW = 20
"""Steps whose mean is "the loss", as far as they are the last quarter of the run: a single step's
loss depends on which samples it drew, and the first steps tell of the base alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one optimizer step measured.

    `step` counts from 1, `epoch` is fractional; loss in nats a target token, mean over the step;
    gradient norm before clipping; memory is what the process (on CUDA: the device) holds now;
    seconds and tokens (of the input, without padding) since the run began.
    """

    step: int
    epoch: float
    loss: float
    gradient_norm: float
    learning_rate: float
    memory_bytes: int
    elapsed_s: float
    tokens: int


class Sign(NamedTuple):
    """A bound that was crossed, and what to change."""

    name: str
    step: int
    measured: float
    bound: float
    action: str
    advice: str

    @property
    def message(self) -> str:
        """One sentence for the terminal and for the statistics."""
        return (
            f"{self.name} at step {self.step}: measured {self.measured:.4g}, "
            f"the bound is {self.bound:.4g}; {self.advice}"
        )


def signs(history: Sequence[Step], watch: WatchSection) -> list[Sign]:
    """The signs that the last step of `history` shows. A run of no steps shows none."""
    if not history:
        return []
    found = (look(history, watch) for look in _LOOKS)
    return [sign for sign in found if sign is not None and sign.action != "off"]


def recent_loss(history: Sequence[Step]) -> float:
    """The mean loss of the last quarter of the steps, at most `WINDOW`; NaN of none."""
    last = [s.loss for s in history[-max(1, min(WINDOW, len(history) // 4)) :]]
    return math.fsum(last) / len(last) if last else math.nan


def not_finite(step: int, loss: float, gradient_norm: float) -> Sign | None:
    """NaN or Inf, in the loss or in the gradients: always a reason to stop."""
    for name, value in (("loss", loss), ("gradient norm", gradient_norm)):
        if not math.isfinite(value):
            advice = (
                f"the {name} is not finite: lower training.learning_rate or training.max_grad_norm"
                ", take hardware.precision fp32 or bf16, and look at the samples of this step"
            )
            return Sign("not-finite", step, value, math.inf, "stop", advice)
    return None


def _not_finite(history: Sequence[Step], _: WatchSection) -> Sign | None:
    last = history[-1]
    return not_finite(last.step, last.loss, last.gradient_norm)


def _high_loss(history: Sequence[Step], watch: WatchSection) -> Sign | None:
    last, loss, bound = history[-1], recent_loss(history), watch.loss_after_first_epoch
    if last.epoch < 1 or not bound < loss < math.inf:
        return None
    advice = "little was learnt: look at the data, raise training.learning_rate or lora.r"
    return Sign("high-loss", last.step, loss, bound, watch.on_high_loss, advice)


def _low_loss(history: Sequence[Step], watch: WatchSection) -> Sign | None:
    last, loss, bound = history[-1], recent_loss(history), watch.loss_too_low
    if len(history) < WINDOW or not loss < bound:
        return None
    advice = "the samples are learnt by heart: raise lora.dropout, or train fewer epochs"
    return Sign("low-loss", last.step, loss, bound, watch.on_low_loss, advice)


def _gradient_norm(history: Sequence[Step], watch: WatchSection) -> Sign | None:
    last, bound = history[-1], watch.gradient_norm
    if not last.gradient_norm > bound:
        return None
    advice = "gradients explode: lower training.learning_rate or training.max_grad_norm"
    action = watch.on_gradient_norm
    return Sign("gradient-norm", last.step, last.gradient_norm, bound, action, advice)


def _memory(history: Sequence[Step], watch: WatchSection) -> Sign | None:
    last, bound = history[-1], watch.memory_gb
    used = last.memory_bytes / 1e9
    if not bound or not used > bound:
        return None
    advice = (
        "memory is nearly used up: lower training.batch_size (and raise "
        "training.gradient_accumulation_steps) or data.max_length, or set lora.method to qlora"
    )
    return Sign("memory", last.step, used, bound, watch.on_memory, advice)


_LOOKS: tuple[Callable[[Sequence[Step], WatchSection], Sign | None], ...] = (
    _not_finite, _high_loss, _low_loss, _gradient_norm, _memory,
)  # fmt: skip
