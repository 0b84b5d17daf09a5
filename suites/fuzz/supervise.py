"""The parent of the processes that read mutated files: deadlines, deaths, and whom to blame."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from pytest_modelqa.core.errors import ModelQAError, UsageError
from suites.fuzz import limits
from suites.fuzz.child import IDLE, Board
from suites.fuzz.draw import dice
from suites.fuzz.files import scratch
from suites.fuzz.outcome import Failure, Outcome
from suites.fuzz.reader import Reader
from suites.fuzz.readers import reader

_POLL_S = 0.05
_START_S = 120.0
"""A process has so long to import what it needs, on a busy machine."""
_MOST_DEATHS = 20
"""After so many dead processes the run stops: the defect is found, and each costs a start."""


class ProcessFailed(ModelQAError):
    """The process that reads files did not start, died before the first, or broke on sound ones."""


class Unfit(UsageError):
    """A target refuses the sound inputs that its mutations start from: nothing would be tested."""


@dataclass(slots=True)
class _Found:
    """Faults by kind and place, with the index of the first and how many there were."""

    first: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, index: int, kind: str, place: str, detail: str) -> None:
        key = kind, place
        self.counts[key] += 1
        self.first.setdefault(key, (index, detail))


@dataclass(slots=True)
class _Run:
    """What is known of a run so far; `suspect` is the last file whose process was killed."""

    name: str
    seed: int
    wall_s: float
    end: float
    found: _Found = field(default_factory=_Found)
    checked: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    done: int = 0
    suspect: int = -1


def fuzz(
    name: str,
    iterations: int,
    seed: int,
    *,
    wall_s: float = limits.WALL_S,
    most_s: float = math.inf,
) -> Outcome:
    """Read so many mutated files of a reader; the same seed gives the same files.

    `wall_s` is how long one file may take before its process is killed, `most_s` how long all may
    take: what was not read by then is missing from the outcome's iterations. Raises UsageError for
    an unknown reader, Unfit where it refuses sound inputs, ProcessFailed where no process can be
    started or where a sound input breaks the reader.
    """
    target = reader(name)
    start = time.perf_counter()
    state = _Run(name, seed, wall_s, time.monotonic() + most_s)
    first = deaths = 0
    while first < iterations and deaths < _MOST_DEATHS:
        first = _stretch(state, first, iterations)
        deaths += first < iterations
    return Outcome(
        target=target.name,
        iterations=state.done,
        seed=seed,
        seconds=time.perf_counter() - start,
        checked=dict(state.checked),
        notes=_notes(state, iterations),
        failures=tuple(_failures(target, state)),
    )


def _notes(state: _Run, iterations: int) -> dict[str, int]:
    left = iterations - state.done
    return {**state.notes, **({"not read": left} if left else {})}


def _failures(target: Reader, state: _Run) -> list[Failure]:
    return [
        Failure(
            kind=kind,
            place=place,
            detail=detail,
            index=index,
            count=state.found.counts[kind, place],
            files=target.mutated(dice(target.name, state.seed, index)),
        )
        for (kind, place), (index, detail) in state.found.first.items()
    ]


def _stretch(state: _Run, first: int, last: int) -> int:
    """One process, until it ends; the index that the next one starts from."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        board = Board.made(Path(folder, "board"))
        answers = Path(folder, "answers")
        try:
            with answers.open("wb") as out, Path(folder, "errors").open("wb") as errors:
                numbers = map(str, (state.seed, first, last, state.end))
                arguments = [state.name, *numbers, f"{folder}/board"]
                process = subprocess.Popen(
                    [sys.executable, "-m", "suites.fuzz.child", *arguments],
                    stdout=out,
                    stderr=errors,
                )
                hung = _watched(process, board, state.wall_s)
            _take(state, answers)
            at = board.read()
            if process.returncode == 0:
                return last
            if at == IDLE:
                told = Path(folder, "errors").read_text(errors="replace")[-500:]
                raise ProcessFailed(f"the fuzzing process ended before it read a file: {told}")
            state.done += at - first
            if hung and state.suspect != at:
                state.suspect = at  # a machine may stand still for a while; a file hangs twice
                return at
            _blame(state, at, process.returncode, hung=hung)
            state.done += 1
            return at + 1
        finally:
            board.close()


def _watched(process: subprocess.Popen[bytes], board: Board, wall_s: float) -> bool:
    """Wait for the end; kill it where it stays on one file too long. Whether it was killed."""
    at, since = board.read(), time.monotonic()
    try:
        while process.poll() is None:
            time.sleep(_POLL_S)
            if (now := board.read()) != at:
                at, since = now, time.monotonic()
            if time.monotonic() - since > (_START_S if at == IDLE else wall_s):
                return True
        return False
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _take(state: _Run, answers: Path) -> None:
    for line in answers.read_text().splitlines():
        found: dict[str, Any] = json.loads(line)
        if "unfit" in found:
            _refuse(state.name, found)
        if "index" in found:
            state.found.add(**found)
            continue
        state.checked.update(found["checked"])
        state.notes.update(found["answers"])
        state.notes.update(found["notes"])
        state.done += found["done"]


def _refuse(name: str, found: Mapping[str, Any]) -> NoReturn:
    """Nothing that is mutated from an input that is not sound itself says anything."""
    what = f"{name} cannot be fuzzed: {found['unfit']}"
    if found["refused"]:
        raise Unfit(what, remedy="leave the target out, or mend what it starts from")
    raise ProcessFailed(what, remedy="mend the reader: sound input must not break it")


def _blame(state: _Run, index: int, code: int, *, hung: bool) -> None:
    if hung:
        detail = f"no answer within {state.wall_s:.0f} s"
        state.found.add(index, "hang", "native code", detail)
        return
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    state.found.add(index, "killed", name, "the process died while it read this file")
