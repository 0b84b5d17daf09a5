"""The process of a coverage-guided run.

`python -m suites.fuzz.guided_child TARGET RUNS SEED FOLDER`; `guided` starts it. libFuzzer ends the
process itself, after the last run or the first exception: what is known is told before that.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from suites.fuzz import files
from suites.fuzz.guided import BROKEN, TOLD
from suites.fuzz.subjects import Faults, NumericSubject, ReaderSubject, Subject
from suites.fuzz.targets import NUMERIC

atheris: Any = import_module("atheris")
MAX_BYTES = 16 << 10
_INSTRUMENTED = ["pytest_modelqa.artifacts", "pytest_modelqa.playbook", "pytest_modelqa.engines",
                 "training.memory"]  # fmt: skip
"""Whose branches count as coverage."""


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
