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
from suites.fuzz.reader import Reader, Trial
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
    """The indices, as long as the clock (seconds since the epoch) is before the end."""
    for index in indices:
        if time.time() >= end:
            return
        yield index


def run(
    target: Reader, seed: int, indices: Iterable[int], board: Board, folder: Path
) -> Iterator[dict[str, Any]]:
    """Read the files of these indices in the folder; give each fault, then the tallies."""
    trial = Trial(target)
    for warm in target.seeds():  # what is loaded late counts as nobody's memory
        files.write(warm, folder)
        trial.read(folder)
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
    yield {"checked": dict(held.counts), "answers": dict(held.answers), "done": done}


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
