"""A finished run as its folder tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import Refused
from training.loop import output
from training.loop.watchers import Step
from training.written import RUN

_KEYS = {f.name for f in fields(Step)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`statistics` and `manifest` are empty where their files cannot be read."""

    folder: Path
    facts: Mapping[str, Any]
    statistics: Mapping[str, Any]
    manifest: Mapping[str, Any]
    steps: tuple[Step, ...]

    @property
    def config(self) -> Mapping[str, Any]:
        """The run's configuration, with all defaults."""
        found: Mapping[str, Any] = self.facts["config"]
        return found

    @property
    def losses(self) -> list[float]:
        """Of every step, nats a target token."""
        return [s.loss for s in self.steps]


def read_run(folder: Path) -> Run:
    """Read a run's own records. Raises Refused where there is no run, or it is not finished."""
    if not (folder / RUN).is_file():
        raise Refused(
            f"is no run: it has no {RUN}",
            where=str(folder),
            remedy="name a folder that `modelqa train run` printed",
        )
    facts = _object(folder / RUN)
    if not isinstance(facts.get("config"), dict) or not isinstance(facts.get("initial"), dict):
        raise Refused("does not say how the run began", where=str(folder / RUN))
    return Run(
        folder=folder,
        facts=facts,
        statistics=_object(folder / output.STATISTICS),
        manifest=_object(folder / output.MANIFEST),
        steps=_steps(folder / output.STEPS),
    )


def _object(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none, which the checks then tell."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _steps(path: Path) -> tuple[Step, ...]:
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return tuple(Step(**{key: record[key] for key in _KEYS}) for record in records)
    except (OSError, ValueError, KeyError, TypeError):
        return ()
