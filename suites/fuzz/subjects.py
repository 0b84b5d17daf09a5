"""What the bytes of a coverage-guided run are given to: a reader, or a target that computes.

What they read or compute with is imported when one is made: under instrumentation.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np

from suites.fuzz import files
from suites.fuzz.draw import dice
from suites.fuzz.targets import NUMERIC

_ROWS = 4
Faults = list[dict[str, str]]


class Subject(Protocol):
    """What bytes are given to."""

    @property
    def seeds(self) -> list[bytes]:
        """Inputs to begin with."""

    def once(self, data: bytes) -> tuple[Faults, files.Files]:
        """Try one input: what went wrong, and the input as files."""

    def mutated(self, number: int) -> bytes:
        """An input that knows the format."""

    def checked(self) -> dict[str, int]:
        """How often each invariant was checked so far."""


class ReaderSubject:
    """A reader: the bytes are one of its files, the others are sound."""

    def __init__(self, name: str, folder: Path) -> None:
        from suites.fuzz.reader import Trial  # noqa: PLC0415 - imported under instrumentation
        from suites.fuzz.readers import reader  # noqa: PLC0415

        self._reader = reader(name)
        self._trial = Trial(self._reader)
        self._folder = folder
        self._sound = self._reader.seeds()[0]
        self._varied = next(iter(self._sound))

    @property
    def seeds(self) -> list[bytes]:
        """The sound files."""
        return [seed[self._varied] for seed in self._reader.seeds() if self._varied in seed]

    def once(self, data: bytes) -> tuple[Faults, files.Files]:
        """Read it."""
        given = {**self._sound, self._varied: data}
        files.write(given, self._folder)
        fault = self._trial.read(self._folder)
        return ([asdict(fault)] if fault else []), given

    def mutated(self, number: int) -> bytes:
        """A file of the reader's own mutations."""
        made = self._reader.mutated(dice(self._reader.name, 0, number))
        return made.get(self._varied, self._sound[self._varied])

    def checked(self) -> dict[str, int]:
        """Counts of its invariants."""
        return dict(self._trial.held.counts)


class NumericSubject:
    """A target that computes: the bytes seed the draw of a few rows."""

    def __init__(self, name: str) -> None:
        from suites.fuzz.numeric import Tally  # noqa: PLC0415 - imported under instrumentation

        self._target = import_module(NUMERIC[name]).TARGET
        self._tally = Tally()

    @property
    def seeds(self) -> list[bytes]:
        """Any bytes will do."""
        return [bytes(8)]

    def once(self, data: bytes) -> tuple[Faults, files.Files]:
        """Draw and check."""
        from suites.fuzz.numeric import examine, failures_of  # noqa: PLC0415

        batch = self._target.draw(np.random.default_rng(list(data[:64])), _ROWS)
        examine(self._target, batch, self._tally)
        self._tally.done += len(batch)
        for broken in failures_of(self._tally):
            told = {"kind": broken.kind, "place": broken.place, "detail": broken.detail}
            return [told], broken.files
        return [], {}

    def mutated(self, number: int) -> bytes:
        """Another seed."""
        return number.to_bytes(8, "little")

    def checked(self) -> dict[str, int]:
        """Counts of its invariants."""
        return dict(self._tally.checked)
