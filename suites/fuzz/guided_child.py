"""The process of a coverage-guided run.

`python -m suites.fuzz.guided_child TARGET RUNS SEED FOLDER`; `guided` starts it. libFuzzer ends the
process itself, after the last run or the first exception: what is known is told before that.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from suites.fuzz import files
from suites.fuzz.draw import dice
from suites.fuzz.guided import BROKEN, TOLD
from suites.fuzz.targets import NUMERIC

atheris: Any = import_module("atheris")
MAX_BYTES = 16 << 10
_INSTRUMENTED = ["pytest_modelqa.artifacts", "pytest_modelqa.playbook", "pytest_modelqa.engines",
                 "training.memory"]  # fmt: skip
"""Whose branches count as coverage."""
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
        from suites.fuzz.numeric import failures_of  # noqa: PLC0415

        batch = self._target.draw(np.random.default_rng(list(data[:64])), _ROWS)
        self._target.check(batch, self._tally)
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


@dataclass(slots=True)
class Session:
    """Feeds inputs to the subject, and tells before libFuzzer ends the process."""

    subject: Subject
    folder: Path
    runs: int
    iterations: int = field(default=0)

    def tell(self, faults: Faults) -> None:
        """Write what is known."""
        told = {"iterations": self.iterations, "checked": self.subject.checked()}
        (self.folder / TOLD).write_text(json.dumps({**told, "faults": faults}))

    def one(self, data: bytes) -> None:
        """One input. Raises RuntimeError, which libFuzzer takes for a crash."""
        faults, given = self.subject.once(data)
        self.iterations += 1
        if faults:
            files.write(given, self.folder / BROKEN)
        if faults or self.iterations >= self.runs:
            self.tell(faults)
        if faults:
            raise RuntimeError(faults[0]["detail"])

    def mutate(self, data: bytes, most: int, number: int) -> bytes:
        """Half of the time libFuzzer's own mutation, else one that knows the format."""
        if number % 2:
            return bytes(atheris.Mutate(data, most))
        return self.subject.mutated(number)[:most]


def main() -> None:
    """Fuzz one target until something breaks or the runs are done."""
    name, runs, seed, place = sys.argv[1:]
    folder = Path(place)
    with atheris.instrument_imports(include=_INSTRUMENTED, enable_loader_override=False):
        subject: Subject = (
            NumericSubject(name) if name in NUMERIC else ReaderSubject(name, folder / "input")
        )
    session = Session(subject, folder, int(runs))
    session.tell([])
    files.write({str(i): data for i, data in enumerate(subject.seeds)}, folder / "seeds")
    options = [f"-atheris_runs={runs}", f"-seed={int(seed) % (1 << 31) or 1}",
               f"-max_len={MAX_BYTES}", f"-artifact_prefix={folder}/"]  # fmt: skip
    arguments = [sys.argv[0], *options, str(folder / "seeds")]
    atheris.Setup(arguments, session.one, custom_mutator=session.mutate, internal_libfuzzer=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
