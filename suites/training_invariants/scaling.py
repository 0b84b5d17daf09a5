"""The same forward and backward with one thread and with more."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from suites.models import tiny

SIZES: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "head_dim": 64,
    "vocab_size": 512,
    "attn_implementation": "sdpa",
}
"""Large enough that torch divides its products among threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What a number of threads gave: the loss, every gradient, and the best seconds of three."""

    threads: int
    loss: float
    gradients: dict[str, Tensor]
    seconds: float


def run(threads: int, *, damage: float = 0.0) -> Timed:
    """Forward and backward with so many intra-op threads; `damage` plants an error in the loss."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _timed(threads, damage)
    finally:
        torch.set_num_threads(before)


def _timed(threads: int, damage: float) -> Timed:
    model = tiny("llama", **SIZES)
    ids = torch.arange(512).reshape(4, 128)
    seconds = []
    for _ in range(3):
        model.zero_grad()
        started = time.perf_counter()
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss * (1 + damage)
        loss.backward()
        seconds.append(time.perf_counter() - started)
    return Timed(
        threads=threads,
        loss=loss.item(),
        gradients={name: p.grad for name, p in model.named_parameters() if p.grad is not None},
        seconds=min(seconds),
    )


def distance(one: Timed, other: Timed) -> float:
    """The largest difference of any gradient, relative to the largest value of that gradient.

    NaN where the two have not the same gradients, or none, or any difference is not finite.
    """
    if one.gradients.keys() != other.gradients.keys() or not one.gradients:
        return math.nan
    apart = [
        float((gradient - other.gradients[name]).abs().max() / gradient.abs().max())
        for name, gradient in one.gradients.items()
    ]  # max() drops a NaN that is not the first
    return max(apart) if all(map(math.isfinite, apart)) else math.nan
