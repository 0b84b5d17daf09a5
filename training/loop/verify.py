"""All checks of a finished run, from its folder: files, statistics, curve, weights, effect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_modelqa.core.errors import ModelQAError
from training import adapters
from training.bases import base_of, shapes_of
from training.findings import Finding, failed
from training.loop.curve import falling, finite, scheduled, smooth
from training.loop.judge import (
    as_configured,
    complete,
    effective,
    expected_size,
    finite_weights,
    moved,
    plausible,
    unchanged_files,
)
from training.loop.reading import Run, read_run
from training.quiet import quiet


def verify(folder: Path, say: Callable[[str], None]) -> list[Finding]:
    """Check a run; what keeps a check from being made is a finding, too.

    Raises Refused where the folder is no finished run at all.
    """
    run = read_run(folder)
    training = run.config["training"]
    return [
        complete(run),
        unchanged_files(run),
        plausible(run),
        finite(run.losses),
        smooth(run.losses),
        falling(run.losses),
        scheduled(
            [s.learning_rate for s in run.steps],
            kind=training["lr_scheduler"],
            peak=training["learning_rate"],
            warmup=training["warmup_steps"],
        ),
        *_of_weights(run, say),
    ]


def _of_weights(run: Run, say: Callable[[str], None]) -> list[Finding]:
    """What needs the adapter's file, and then the base."""
    try:
        adapter = adapters.read(run.folder)
        found = [as_configured(run, adapter), finite_weights(adapter), moved(run, adapter)]
        base = base_of(run.folder, None, say)
        shapes = shapes_of(base.folder)
        adapters.require_fit(adapter, shapes)
        found.append(expected_size(run, adapter, shapes))
        if not found[-1].passed:
            return found  # a part of it is missing: what the rest does tells nothing
        from training.weights import effect  # noqa: PLC0415 - loads torch

        with quiet():
            return [*found, effective(effect(base.folder, adapter))]
    except ModelQAError as error:
        return [failed("adapter-loads", str(error))]
