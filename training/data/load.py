"""The records that a configuration names: read from its files, or made by the generator."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_modelqa.core.errors import Problem
from training.config import TrainingConfig, require_files
from training.records import DataError, RecordFile, read
from training.synth import drawn, sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The training sets in the configuration's order, and the hold-out."""

    train: tuple[RecordFile, ...]
    eval: RecordFile | None

    @property
    def files(self) -> tuple[RecordFile, ...]:
        """All of them."""
        return (*self.train, *((self.eval,) if self.eval else ()))

    @property
    def hashes(self) -> Mapping[str, str]:
        """SHA-256 of every set by name."""
        return {part.name: part.sha256 for part in self.files}

    @property
    def sha256(self) -> str:
        """One hash of all sets, names included."""
        text = "".join(f"{sha}  {name}\n" for name, sha in self.hashes.items())
        return hashlib.sha256(text.encode()).hexdigest()


def load(config: TrainingConfig) -> Data:
    """Read all files. Raises ConfigError where some are missing, DataError with all mistakes."""
    synthetic = config.dataset.synthetic
    if synthetic is not None:
        counted = {str(each.set): each.records for each in synthetic.sets}
        made = drawn(counted or sizes(synthetic.size), synthetic.seed)
        return Data(train=made.train, eval=made.hold_out)
    require_files(config)
    problems: list[tuple[str, Problem]] = []
    train = [_read(Path(p.file), p.samples, problems.extend) for p in config.dataset.train]
    held = config.dataset.eval
    hold_out = _read(Path(held.file), held.samples, problems.extend) if held else None
    if problems:
        raise DataError(problems)
    return Data(train=tuple(part for part in train if part), eval=hold_out)


def _read(
    path: Path, samples: int, tell: Callable[[tuple[tuple[str, Problem], ...]], None]
) -> RecordFile | None:
    try:
        return read(path, samples=samples)
    except DataError as error:
        tell(error.problems)
        return None
