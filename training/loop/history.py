"""The records of a run's steps, read from what the Trainer logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from training.loop.watchers import Step


def step_of_record(record: Mapping[str, Any]) -> Step | None:
    """A step, or None where the record is of something else (an evaluation, the end)."""
    if "grad_norm" not in record or "elapsed_s" not in record:
        return None
    return Step(
        step=int(record["step"]),
        epoch=float(record["epoch"]),
        loss=float(record["loss"]),
        gradient_norm=float(record["grad_norm"]),
        learning_rate=float(record["learning_rate"]),
        memory_bytes=int(record["memory_bytes"]),
        elapsed_s=float(record["elapsed_s"]),
        tokens=int(record["tokens"]),
    )


def steps_of(records: Iterable[Mapping[str, Any]]) -> Iterator[Step]:
    """The optimizer steps among them, in their order."""
    for record in records:
        if (step := step_of_record(record)) is not None:
            yield step
