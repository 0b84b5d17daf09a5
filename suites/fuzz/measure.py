"""Fuzzing of a playbook's own model, as rows: registered under `modelqa.measurements`.

Each target reads mutated copies in a process of its own, with bounds of memory and of time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from pytest_modelqa.core.errors import UsageError
from suites.fuzz.outcome import Outcome
from suites.fuzz.supervise import fuzz

Row = dict[str, str | int | float | bool | None]

TARGETS = {
    "header": "suites.fuzz.own:header",
    "parameters": "suites.fuzz.own:parameters",
    "template": "suites.fuzz.own:template",
    "prompt": "suites.fuzz.prompts:prompt",
}
_CRASHES = ("raised", "killed", "hang", "slow", "memory")
"""Kinds of failure that are no answer at all; the others are answers that cannot be."""


def measure(artifact: Path, options: Mapping[str, str | int | float | bool]) -> list[Row]:
    """A row for each target of `targets` (separated by commas; "header" where none is given).

    `iterations` is how many mutated inputs each gets (1000), `max_seconds` what all may take
    together (60; a target that runs out of it has fewer iterations in its row), `seed` decides
    them. A row has `violations`, `crashes`, and the first `example` of either; `memory_bounded` is
    false where the system does not tell what memory each input took.

    Raises UsageError for other options, where the model lacks what is to be mutated, and where the
    reader refuses the model unchanged (Unfit); ProcessFailed where that breaks the reader; Refused
    where its own header is not sound; Unavailable where a library is missing.
    """
    names = [name for name in str(options.get("targets", "")).split(",") if name] or ["header"]
    if unknown := sorted(set(names) - set(TARGETS)):
        raise UsageError(f"fuzz knows no target {', '.join(unknown)}",
                         remedy=f"targets: [{', '.join(TARGETS)}]")  # fmt: skip
    end = time.monotonic() + float(options.get("max_seconds", 60.0))
    rows = []
    for at, name in enumerate(names):
        share = max(1.0, (end - time.monotonic()) / (len(names) - at))
        outcome = fuzz(
            f"{TARGETS[name]}:{artifact}",
            int(options.get("iterations", 1000)),
            int(options.get("seed", 0)),
            most_s=share,
        )
        rows.append(_row(name, outcome))
    return rows


def _row(name: str, outcome: Outcome) -> Row:
    crashes = sum(f.count for f in outcome.failures if f.kind in _CRASHES)
    return {
        "name": f"fuzz {name}",
        "target": name,
        "iterations": outcome.iterations,
        "violations": outcome.violations - crashes,
        "crashes": crashes,
        "checked": sum(outcome.checked.values()),
        "memory_bounded": outcome.checked.get("bounded_memory", 0) > 0,
        "seconds": round(outcome.seconds, 3),
        "seed": outcome.seed,
        "example": outcome.failures[0].text if outcome.failures else "",
    }
