"""How a completion grows, one id at a time: the same rules for one sequence and for a batch."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.answer import Finish
from pytest_modelqa.core.request import Generate
from pytest_modelqa.engines.arrays import choose

Begin = Callable[[int], None]
"""Told the index of each request as its sequence starts."""

_MARGIN = 4
"""Ids beyond the length of a stop text that are decoded: control tokens decode to nothing."""


class Steps(Protocol):
    """One sequence in an engine: feed ids, get the logits (n_vocab,) float32 of the last one."""

    def __call__(self, ids: list[int]) -> NDArray[np.float32]:
        """Append `ids` to the sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a sequence starts from, and how it ends. `n_ctx` in tokens.

    `decode` turns ids into text, for the request's stop texts.
    """

    prompt: list[int]
    request: Generate
    stop_ids: Container[int]
    n_ctx: int
    decode: Callable[[Sequence[int]], str]

    @property
    def room(self) -> int:
        """The positions that the sequence may come to fill."""
        return min(self.n_ctx, len(self.prompt) + self.request.max_tokens)

    def stops(self, ids: Sequence[int]) -> bool:
        """True where the end of the text holds one of the request's stop texts.

        An id adds a byte at least, unless it is a control token, which ends most generations.
        """
        stop = self.request.stop
        if not stop:
            return False
        longest = max(len(text.encode()) for text in stop)
        tail = self.decode(ids[-longest - _MARGIN :])
        return any(text in tail for text in stop)


@dataclass(slots=True)
class Completion:
    """A completion as it grows. `peaks` are the logits of `ids`; times in seconds.

    In a batch `prefill_s` and `decode_s` are this sequence's share of the steps, by tokens.
    """

    job: Job
    ids: list[int] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    finish: Finish = "length"
    nonfinite_steps: int = 0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.job.request.seed)

    def take(self, row: NDArray[np.float32]) -> bool:
        """Append the id that these logits choose; False when the completion has ended.

        It ends at a stop token or a stop text, at `max_tokens`, in a full context, and at the first
        logits that hold NaN or Inf: nothing after them would mean anything.
        """
        request = self.job.request
        if not np.isfinite(row).all():
            self.nonfinite_steps = 1
            return False
        token = choose(row, request.temperature, self._random)
        if token in self.job.stop_ids:
            self.finish = "stop"
            return False
        self.ids.append(token)
        self.peaks.append(float(row[token]))
        if self.job.stops(self.ids):
            self.finish = "stop"
            return False
        if len(self.job.prompt) + len(self.ids) >= self.job.n_ctx:
            self.finish = "context"
            return False
        return len(self.ids) < request.max_tokens


def complete(feed: Steps, job: Job) -> Completion:
    """Run one sequence to its end."""
    made = Completion(job)
    start = perf_counter()
    row = feed(job.prompt)
    prefilled = perf_counter()
    while made.take(row):
        row = feed(made.ids[-1:])
    made.prefill_s, made.decode_s = prefilled - start, perf_counter() - prefilled
    return made


def common_prefix(prompts: list[list[int]]) -> int:
    """How many leading ids all prompts share, leaving each at least one of its own."""
    first, last = min(prompts), max(prompts)
    shared = 0
    for a, b in zip(first, last, strict=False):
        if a != b:
            break
        shared += 1
    return min(shared, min(map(len, prompts)) - 1)
