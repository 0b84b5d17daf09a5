"""A training run, from a configuration to a folder that can be verified.

Read `train` from top to bottom: find, check, prepare, train, write. A killed run goes on with
`resume`, on the CPU bit by bit as if it had never stopped.
"""

from __future__ import annotations

import dataclasses
import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pytest_modelqa.artifacts.adapter import WEIGHTS
from pytest_modelqa.artifacts.hashing import measured
from pytest_modelqa.core.errors import OutputError
from training.bases import find
from training.config import TrainingConfig, require_files
from training.data import examples
from training.loop import output
from training.loop.adapter import require_context, require_modules, tokenizer_of
from training.loop.device import available, choose, prepared
from training.loop.job import Job, facts_of
from training.loop.resume import alone, interrupted, last_checkpoint, require_same
from training.loop.statistics import statistics_of
from training.loop.watchers import Step
from training.quiet import quiet
from training.written import write_json

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A run that came to its end; `sha256` is that of the adapter's file."""

    folder: Path
    sha256: str
    statistics: Mapping[str, Any]


def train(
    config: TrainingConfig,
    say: Say,
    *,
    resume: bool = False,
    callbacks: Sequence[Any] = (),
) -> Trained:
    """Train an adapter. `callbacks` are more of transformers', after ours.

    Raises ConfigError (missing files), UsageError, Refused, Unavailable, OutputError (the disk is
    full), Stopped (a watcher ended it; a checkpoint is there).
    """
    require_files(config)
    part = interrupted(config) if resume else None
    job = _job(config, say)
    if part is None:
        part = output.begin(output.final_name(config.output, time.gmtime()))
        checkpoint = None
    else:
        require_same(part, job.facts)
        checkpoint = last_checkpoint(part)
        say(f"going on in {part} after {checkpoint.name if checkpoint else 'no checkpoint'}")
    with alone(part), _writing(part), quiet(), prepared(job.device, config.hardware):
        return _trained(dataclasses.replace(job, part=part, checkpoint=checkpoint), say, callbacks)


def _job(config: TrainingConfig, say: Say) -> Job:
    """Everything is found and checked before a weight is loaded or a folder made."""
    base = find(config.model, say)
    require_modules(base, config.lora)
    device = choose(config.hardware, available())
    for warning in device.warnings:
        say(f"warning: {warning}")
    tokenizer = tokenizer_of(base.folder, say)
    require_context(base, config)
    data = examples(config, tokenizer)
    return Job(
        config=config,
        base=base,
        device=device,
        tokenizer=tokenizer,
        prepared=data,
        facts=facts_of(config, base, data, device),
        part=Path(),
    )


def _trained(job: Job, say: Say, callbacks: Sequence[Any]) -> Trained:
    from training.loop.steps import run_steps  # noqa: PLC0415 - loads torch

    say(f"training in {job.part}")
    steps, more = run_steps(job, say, callbacks)
    statistics = statistics_of(job, steps, more)
    write_json(job.part / output.STATISTICS, statistics)
    _write_steps(job.part / output.STEPS, steps)
    folder = output.finish(job.part)
    return Trained(folder=folder, sha256=measured(folder / WEIGHTS), statistics=statistics)


def _write_steps(path: Path, steps: Sequence[Step]) -> None:
    lines = (json.dumps(dataclasses.asdict(step), allow_nan=False) for step in steps)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@contextmanager
def _writing(part: Path) -> Iterator[None]:
    """A full disk is an error that says what is kept; torch tells it as a RuntimeError."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _while_saving(error):
            raise
        saved = last_checkpoint(part)
        kept = f"the checkpoint of step {output.step_of(saved)} is whole" if saved else ""
        raise OutputError(
            f"cannot be written: {error}" + (f"; {kept}" if kept else ""),
            where=str(part),
            remedy="free space, then run again with --resume",
        ) from error


def _while_saving(error: RuntimeError) -> bool:
    """Whether it was torch's own writer that failed."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(Path(frame.filename).parts[-2:] == ("torch", "serialization.py") for frame in frames)
