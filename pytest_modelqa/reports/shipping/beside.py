"""What a model's own folder tells of its making: the loss curve, leakage, the checks of the merge.

Read are `training_stats.json`, `steps.jsonl`, `merge.json` and `build.json`, in the artifact's
folder and the two above it, as `modelqa train` and builders write them. What is not there, or
cannot be read, tells nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.errors import ModelQAError
from pytest_modelqa.core.model import ArtifactSpec

MOST_BYTES = 64 << 20
"""Of one file: a curve of a million steps is smaller."""

_ABOVE = 2
_QUARTERS = 4


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence, and whether what it says is wrong."""

    text: str
    is_bad: bool = False


def folders_of(specs: Iterable[ArtifactSpec], folder: Path) -> tuple[Path, ...]:
    """Where to look: the folders of a playbook's artifacts that are here, each once.

    `folder` is the playbook's; nothing is fetched that is not here.
    """
    siblings = {spec.key: spec for spec in specs}
    found: dict[Path, None] = {}
    for spec in siblings.values():
        try:
            path = provision(spec, siblings, folder=folder).path
        except (ModelQAError, OSError):
            continue
        near = path if path.is_dir() else path.parent
        found |= dict.fromkeys((near, *list(near.parents)[:_ABOVE]))
    return tuple(found)


def told(folders: Iterable[Path]) -> tuple[Told, ...]:
    """Sentences on how the model was made, each once, with the file that says so."""
    found: dict[Told, None] = {}
    for folder in folders:
        for name, teller in _TELLERS.items():
            for said in _of_file(folder / name, teller):
                found[replace(said, text=f"{said.text} ({name}).")] = None
    return tuple(found)


def _of_file(path: Path, teller: Callable[[str], Iterator[Told]]) -> list[Told]:
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return []
        return list(teller(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return []


def _statistics(text: str) -> Iterator[Told]:
    stats = json.loads(text)
    steps, final = int(stats["steps"]), float(stats["final_loss"])
    yield Told(f"Training took {steps} steps and ended at a loss of {final:.4g}")


def _curve(text: str) -> Iterator[Told]:
    records = [json.loads(line) for line in text.splitlines() if line.strip()]
    yield from _of_losses([float(r["loss"]) for r in records if "loss" in r])


def _of_losses(losses: Sequence[float]) -> Iterator[Told]:
    odd = sum(not math.isfinite(loss) for loss in losses)
    if odd:
        yield Told(f"The loss is not finite in {odd} of {len(losses)} steps", True)
    elif len(losses) >= 2 * _QUARTERS:
        part = len(losses) // _QUARTERS
        first, last = fmean(losses[:part]), fmean(losses[-part:])
        word = "fell" if last < first else "did not fall"
        text = f"The loss {word}: {first:.4g} in the first quarter, {last:.4g} in the last"
        yield Told(text, not last < first)


def _merge(text: str) -> Iterator[Told]:
    findings: list[Mapping[str, Any]] = json.loads(text)["findings"]
    for finding in findings:
        if not finding["passed"]:
            yield Told(f"The merge does not hold {finding['check']}", True)
    if findings and all(f["passed"] for f in findings):
        yield Told(f"All {len(findings)} checks of the merge hold")


def _build(text: str) -> Iterator[Told]:
    """What a builder recorded: `losses`, a number a step, and `leakage` of the hold-out."""
    made = json.loads(text)
    yield from _of_losses([float(loss) for loss in made.get("losses", ())])
    if "leakage" in made:
        leaked, tested = int(made["leakage"]["leaked"]), int(made["leakage"]["tested"])
        what = f"{leaked} of {tested} records of the hold-out are in the training sets"
        yield Told(f"Leakage: {what}", leaked > 0)


_TELLERS: Mapping[str, Callable[[str], Iterator[Told]]] = {
    "training_stats.json": _statistics,
    "steps.jsonl": _curve,
    "merge.json": _merge,
    "build.json": _build,
}
