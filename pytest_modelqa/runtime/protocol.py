"""What passes between the parent and its worker: one JSON object a line, both ways.

To the worker, on stdin:    {"op": "batch", "mode": "exact", "threads": 1, "requests": [...]}
From the worker, on a pipe of its own (stdout and stderr go to a log, native code writes there):
    {"op": "beat"}                            every few seconds, from a thread
    {"op": "opening"} / {"op": "opened"}
    {"op": "begin", "index": i} / {"op": "answer", "index": i, "answer": {...}, "seconds": s}
        (in mode fast several have begun at a time, and seconds are those since the last answer)
    {"op": "done"}                            the batch is finished
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEAT_S = 2.0
"""Seconds between heartbeats."""

SILENCE_S = 60.0
"""A worker without a heartbeat for this long is stopped or starved: it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Everything a worker is told at its start; `memory_bytes` becomes RLIMIT_AS.

    `threads` is the most that it may use, `cache_bytes` what the caches of a batch may take.
    A worker with a reference holds two models, and answers comparisons of the two. One with a
    `measurement` is there for that alone.
    """

    engine: str
    artifact: Path
    format: str
    backend: str
    threads: int
    n_ctx: int
    arrays: Path
    memory_bytes: int
    cache_bytes: int
    channel: int = -1
    dtype: str = "float32"
    reference: Path | None = None
    reference_engine: str = ""
    reference_format: str = ""
    reference_dtype: str = "float32"
    measurement: str = ""

    def to_json(self) -> str:
        """One line for the command line."""
        return json.dumps(
            {name: _plain(getattr(self, name)) for name in type(self).__slots__}, sort_keys=True
        )

    @classmethod
    def from_json(cls, text: str) -> WorkerConfig:
        """The inverse."""
        data = json.loads(text)
        for name in ("artifact", "arrays", "reference"):
            data[name] = None if data[name] is None else Path(data[name])
        return cls(**data)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
