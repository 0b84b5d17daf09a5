"""The folder of a run: hidden while it is at work, under its final name once it is whole.

While training, `.NAME.part` holds `run.json`, `logs/` and `checkpoints/`; a killed run leaves it,
and `--resume` goes on in it. Nothing under a final name is ever half written.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from pytest_modelqa.artifacts.hashing import file_names, measured
from pytest_modelqa.core.errors import OutputError, UsageError
from training.config.values import OutputSection
from training.written import RUN, publish, write_json

STATISTICS = "training_stats.json"
STEPS = "steps.jsonl"
MANIFEST = "manifest.json"
LOGS = "logs"
CHECKPOINTS = "checkpoints"
SAVING = ".saving"
_PART = ".part"


def final_name(output: OutputSection, now: time.struct_time) -> Path:
    """`DIRECTORY_YYYYMMDD_HHMMSS` in UTC, or the directory itself where no stamp is wanted."""
    folder = Path(output.directory)
    if not output.timestamped:
        return folder
    return folder.with_name(f"{folder.name}_{time.strftime('%Y%m%d_%H%M%S', now)}")


def part_of(final: Path) -> Path:
    """Where a run works until it is whole."""
    return final.with_name(f".{final.name}{_PART}")


def final_of(part: Path) -> Path:
    """The name that a run at work will have."""
    return part.with_name(part.name.removeprefix(".").removesuffix(_PART))


def begin(final: Path) -> Path:
    """Make the folder to work in. Raises UsageError where the final name is taken, OutputError."""
    part = part_of(final)
    taken = next((p for p in (final, part) if p.exists()), None)
    if taken is not None:
        raise UsageError(
            "exists already",
            where=str(taken),
            remedy="--resume goes on with an interrupted run; or choose another output.directory",
        )
    try:
        part.mkdir(parents=True)
        (part / CHECKPOINTS).mkdir()
    except OSError as error:
        raise OutputError(f"cannot be made: {error.strerror}", where=str(part)) from error
    return part


def finish(part: Path) -> Path:
    """Write the manifest, put everything on the disk, and give the folder its final name."""
    final = final_of(part)
    shutil.rmtree(part / SAVING, ignore_errors=True)
    write_manifest(part)
    publish(part, final)
    return final


def write_manifest(folder: Path) -> None:
    """The SHA-256 of every file of the folder but hidden ones, the checkpoints and itself."""
    names = [n for n in file_names(folder) if n != MANIFEST and not n.startswith(CHECKPOINTS)]
    write_json(folder / MANIFEST, {"files": {n: measured(folder / n) for n in names}})


def publish_checkpoint(part: Path, step: int, keep: int) -> None:
    """Move what the library wrote under its final name, and remove all but the newest `keep`."""
    made = part / SAVING / f"checkpoint-{step}"
    target = part / CHECKPOINTS / made.name
    if target.exists():  # of the same step, before a resume: the bytes are the same
        shutil.rmtree(target)
    publish(made, target)
    for old in checkpoints(part)[:-keep]:
        shutil.rmtree(old)


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a run, the oldest first."""
    found = [p for p in (folder / CHECKPOINTS).glob("checkpoint-*") if p.is_dir()]
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """The number of optimizer steps behind a checkpoint."""
    return int(checkpoint.name.rsplit("-", 1)[1])


def newest(output: OutputSection, *, unfinished: bool) -> list[Path]:
    """The runs of an output name, at work or whole, the newest last."""
    folder = Path(output.directory)
    middle = f"{folder.name}_*" if output.timestamped else folder.name
    pattern = f".{middle}{_PART}" if unfinished else middle
    found = [p for p in folder.parent.glob(pattern) if (p / RUN).is_file()]
    return sorted(found, key=lambda p: p.name)
