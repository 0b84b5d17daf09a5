"""A reader under fuzz: where its files come from, and what must hold of whatever it answers."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from pytest_modelqa.core import errors
from pytest_modelqa.core.errors import ModelQAError
from suites.fuzz import limits
from suites.fuzz.files import Files

_PACKAGE = Path(errors.__file__).parents[1]
REFUSED = "refused"
"""The kind of an answer that is one of our typed errors."""
OF_ALL = "memory against the highest peak so far, not of each file"
"""Noted for a file where the system does not reset the peak of a process."""
Kind = Literal["raised", "unsound", "slow", "memory", "hang", "killed"]


class Unsound(AssertionError):
    """A reader answered, and what it answered cannot be."""


@dataclass(slots=True)
class Held:
    """Invariants, counted as they are checked; and how often each kind of answer came.

    `notes` counts what could not be measured, `refusal` is what our last typed error said.
    """

    counts: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    refusal: str = ""

    def must(self, name: str, holds: bool, detail: str) -> None:
        """Count one check of an invariant. Raises Unsound where it does not hold."""
        self.counts[name] += 1
        if not holds:
            raise Unsound(f"{name}: {detail}")


Probe = Callable[[Path, Held], str]
"""Read the files of a folder and give the kind of the answer, such as "sound".

May raise our typed errors, which count as "refused"; anything else that is raised is a defect.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A target: sound inputs, mutated ones, and the probe that reads them.

    `growth_kib` is how much resident memory one file may add.
    """

    name: str
    seeds: Callable[[], tuple[Files, ...]]
    mutated: Callable[[Random], Files]
    probe: Probe
    growth_kib: int = limits.GROWTH_KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What went wrong with one file. `place` tells defects apart: the exception and its line."""

    kind: Kind
    place: str
    detail: str


@dataclass(slots=True)
class Trial:
    """One file after another is read here, in this process; tallies stay for all."""

    reader: Reader
    held: Held = field(default_factory=Held)

    def read(self, folder: Path) -> Fault | None:
        """Read the files of a folder within the bounds; what went wrong, or None."""
        fresh = limits.reset_peak()
        peak, start = limits.peak_kib(), limits.cpu_s()
        try:
            fault = self._probed(folder)
        except limits.OutOfTime as error:
            return Fault(kind="slow", place=_place(error), detail="stopped by the signal")
        except MemoryError as error:
            return Fault(kind="memory", place=_place(error), detail="MemoryError")
        grown = limits.peak_kib() - peak
        return fault or self._bounded(limits.cpu_s() - start, grown, fresh=fresh)

    def _probed(self, folder: Path) -> Fault | None:
        try:
            with limits.processor_time():
                answer = self.reader.probe(folder, self.held)
        except ModelQAError as error:
            self.held.answers[REFUSED] += 1
            self.held.refusal = error.what
            self.held.counts["typed_error"] += 1
            return None if str(error) else Fault(kind="unsound", place="error", detail="no text")
        except Unsound as error:
            name = str(error).partition(":")[0]
            return Fault(kind="unsound", place=name, detail=str(error)[:500])
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            detail = f"{type(error).__name__}: {error!s:.300}"
            return Fault(kind="raised", place=_place(error), detail=detail)
        self.held.answers[answer] += 1
        return None

    def _bounded(self, cpu_s: float, grown_kib: int, *, fresh: bool) -> Fault | None:
        self.held.counts["bounded_time"] += 1
        self.held.counts["bounded_memory"] += int(fresh)
        if not fresh:
            self.held.notes[OF_ALL] += 1
        if cpu_s > limits.CPU_S:
            return Fault(kind="slow", place="native code", detail=f"{cpu_s:.1f} s of processor")
        if grown_kib > self.reader.growth_kib:
            detail = f"{grown_kib >> 10} MiB more than before"
            return Fault(kind="memory", place="growth", detail=detail)
        return None


def _place(error: BaseException) -> str:
    """The exception and the innermost line of ours: the same defect has the same place."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, limits.OutOfTime):
        frames.pop()  # the signal's handler
    ours = [f for f in frames if Path(f.filename).is_relative_to(_PACKAGE)] or frames
    last = ours[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}:{last.name}"
