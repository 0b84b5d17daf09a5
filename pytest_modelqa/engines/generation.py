"""The loop that every local engine generates with, one sequence at a time."""

from __future__ import annotations

from collections.abc import Callable, Container
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.answer import Finish
from pytest_modelqa.core.request import Generate
from pytest_modelqa.engines.arrays import choose


class Steps(Protocol):
    """One sequence in an engine: feed ids, get the logits (n_vocab,) float32 of the last one."""

    def __call__(self, ids: list[int]) -> NDArray[np.float32]:
        """Append `ids` to the sequence."""


class Loop(NamedTuple):
    """What a generation loop made; times in seconds."""

    ids: list[int]
    finish: Finish
    nonfinite_steps: int
    prefill_s: float
    decode_s: float


def generate(
    feed: Steps | Callable[[list[int]], NDArray[np.float32]],
    prompt: list[int],
    request: Generate,
    *,
    stop_ids: Container[int],
    n_ctx: int,
) -> Loop:
    """Greedy or sampled continuation until a stop token, `max_tokens`, or a full context.

    Ends at the first step whose logits hold NaN or Inf: nothing after it would mean anything.
    """
    random = np.random.default_rng(request.seed)
    ids: list[int] = []
    finish: Finish = "length"
    nonfinite = 0
    start = perf_counter()
    row = feed(prompt)
    prefilled = perf_counter()
    while len(ids) < request.max_tokens:
        if not np.isfinite(row).all():
            nonfinite = 1
            break
        token = choose(row, request.temperature, random)
        if token in stop_ids:
            finish = "stop"
            break
        ids.append(token)
        if len(prompt) + len(ids) >= n_ctx:
            finish = "context"
            break
        if len(ids) < request.max_tokens:
            row = feed([token])
    return Loop(ids, finish, nonfinite, prefilled - start, perf_counter() - prefilled)
