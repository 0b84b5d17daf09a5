"""The process that reads mutated files.

`python -m suites.fuzz.child READER SEED FIRST LAST END BOARD`; `supervise` starts it. One process
reads thousands, within bounds of memory and of processor time. Where it is stands on a board that
the parent maps: if the process dies or hangs, the parent knows which file did it, and makes that
file again from the seed. Faults go to stdout, one JSON object a line; tallies come last.
"""

from __future__ import annotations

import json
import mmap
import struct
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from suites.fuzz import files, limits
from suites.fuzz.draw import dice
from suites.fuzz.reader import REFUSED, Reader, Trial
from suites.fuzz.readers import reader

BOARD_BYTES = 8
IDLE = (1 << 64) - 1
"""On the board while the process starts: imports take longer than a file may."""


class Board:
    """The index of the file that is being read, in memory that both processes see."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), BOARD_BYTES)

    @staticmethod
    def made(path: Path) -> Board:
        """A new board that says idle."""
        path.write_bytes(struct.pack("<Q", IDLE))
        return Board(path)

    def write(self, index: int) -> None:
        """Say which file is read now."""
        self._map[:] = struct.pack("<Q", index)

    def read(self) -> int:
        """Which file is read now, or IDLE."""
        return int(struct.unpack("<Q", self._map[:])[0])

    def close(self) -> None:
        """Release it."""
        self._map.close()
        self._file.close()


def until(end: float, indices: Iterable[int]) -> Iterator[int]:
    """The indices until `end`, by the monotonic clock: all processes of a machine share it."""
    for index in indices:
        if time.monotonic() >= end:
            return
        yield index


def run(
    target: Reader, seed: int, indices: Iterable[int], board: Board, folder: Path
) -> Iterator[dict[str, Any]]:
    """Read the files of these indices in the folder; give each fault, then the tallies.

    Where a sound input of the target is a fault or is refused, only that is given: a reader that
    refuses what mutations start from would refuse all of them, and look healthy.
    """
    if unfit := _unfit(target, folder):
        yield unfit
        return
    trial = Trial(target)
    limits.limit_memory()
    done = 0
    for index in indices:
        files.write(target.mutated(dice(target.name, seed, index)), folder)
        board.write(index)
        fault = trial.read(folder)
        done += 1
        if fault is not None:
            yield {"index": index, **asdict(fault)}
    board.write(IDLE)
    held = trial.held
    told = {"checked": held.counts, "answers": held.answers, "notes": held.notes}
    yield {**{name: dict(counts) for name, counts in told.items()}, "done": done}


def _unfit(target: Reader, folder: Path) -> dict[str, Any] | None:
    """What is wrong with the first sound input that is not sound to the target, or None."""
    for number, sound in enumerate(target.seeds()):
        for trial in (Trial(target), Trial(target)):  # what loads late is nobody's memory or time
            files.write(sound, folder)  # again: a probe may lengthen the file
            fault = trial.read(folder)
        if fault:
            what = f"{fault.kind} ({fault.place}): {fault.detail}"
            return {"unfit": f"its sound input {number} is {what}", "refused": False}
        if trial.held.answers[REFUSED]:
            what = trial.held.refusal or "not sound"
            return {"unfit": f"its sound input {number} is refused: {what}", "refused": True}
    return None


def main() -> None:
    """Read what the command line says; every warning is an error, as under pytest."""
    name, seed, first, last, end, board = sys.argv[1:]
    warnings.simplefilter("error")
    wanted = until(float(end), range(int(first), int(last)))
    folder = Path(board).parent / "input"  # the parent removes it, however this process ends
    for told in run(reader(name), int(seed), wanted, Board(Path(board)), folder):
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
