"""A generation step by step, and again in one pass: what an engine's own noise is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.answer import Failure, Retraced, TracedStep
from pytest_modelqa.engines.generation import Completion, Job, Steps


class Traceable(Protocol):
    """What is asked of a model here."""

    def sequence(self) -> Steps:
        """A fresh, empty sequence."""

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits of every position: shape (len(ids), vocabulary)."""

    @property
    def stop_ids(self) -> Collection[int]:
        """Ids that end a generation."""


def retrace(model: Traceable, job: Job, top: int) -> Retraced | Failure:
    """Decode one sequence, keep the `top` logits of each step, and score the whole text once."""
    feed = model.sequence()
    made = Completion(job)
    kept = []
    row = feed(job.prompt)
    while True:
        best = np.argsort(-row, kind="stable")[:top]
        kept.append((best, row[best].copy()))
        if not made.take(row):
            break
        row = feed(made.ids[-1:])
    if made.nonfinite_steps:
        return Failure(cause="error", reason=f"NaN or Inf logits after {len(made.ids)} ids")
    rescored = model.logits([*job.prompt, *made.ids[: len(kept) - 1]])[-len(kept) :]
    return Retraced(
        ids=tuple(made.ids),
        finish=made.finish,
        stop_ids=tuple(sorted(model.stop_ids)),
        steps=tuple(
            TracedStep(
                ids=tuple(map(int, best)),
                logits=tuple(map(float, logits)),
                rescored=tuple(map(float, again[best])),
            )
            for (best, logits), again in zip(kept, rescored, strict=True)
        ),
    )
