"""Finding the run that was interrupted, and seeing that it is the same run."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import Refused, UsageError
from training.config import TrainingConfig
from training.loop import output
from training.written import RUN

_SAME = {
    "config_sha256": "the configuration",
    "base": "the base model",
    "data": "the data",
    "device": "the device",
    "versions": "the libraries",
}
_LOCK = ".lock"


def interrupted(config: TrainingConfig) -> Path:
    """The newest run of this output that is not whole. Raises UsageError where there is none."""
    found = output.newest(config.output, unfinished=True)
    if not found:
        raise UsageError(
            "there is no interrupted run to resume",
            where=str(Path(config.output.directory).parent),
            remedy="run without --resume",
        )
    return found[-1]


def require_same(part: Path, facts: Mapping[str, Any]) -> None:
    """Raise UsageError that names what differs from the interrupted run: it would not go on."""
    before = read_facts(part)
    for key, name in _SAME.items():
        if before.get(key) != facts[key]:
            raise UsageError(
                f"{name} is not that of the interrupted run: {_difference(before, facts, key)}",
                where=str(part),
                remedy=f"restore it, or remove {part} and run without --resume",
            )


def read_facts(folder: Path) -> dict[str, Any]:
    """A run's `run.json`. Raises Refused where it is none."""
    path = folder / RUN
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(
            f"cannot be read: {error}", where=str(path), remedy="name the folder of a run"
        ) from error
    if not isinstance(found, dict):
        raise Refused("is no JSON object", where=str(path))
    return found


def last_checkpoint(part: Path) -> Path | None:
    """The newest whole checkpoint; None where the run was killed before its first."""
    found = output.checkpoints(part)
    return found[-1] if found else None


@contextmanager
def alone(part: Path) -> Iterator[None]:
    """Hold a run's folder for this process. Raises UsageError where another is at work in it."""
    with (part / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                "another process is training in it", where=str(part), remedy="wait for it"
            ) from None
        yield


def _difference(before: Mapping[str, Any], now: Mapping[str, Any], key: str) -> str:
    """The first value that differs, by its path."""
    top = "config" if key == "config_sha256" else key
    for path, old, new in _leaves(before.get(top), now[top], top):
        if old != new:
            return f"{path} was {old!r}, is {new!r}"
    return "it cannot be compared"


def _leaves(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _leaves(old.get(key), new.get(key), f"{path}.{key}")
    else:
        yield path, old, new
