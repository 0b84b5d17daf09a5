"""Whether the files that answer are still those that were hashed.

A model is hashed once and mapped for as long as it is asked: what is written into its file in the
meantime changes the answers, and not the hash that they are recorded under. A write moves a file's
size or time, or another file takes its name; what leaves all of these as they were (a bad memory
cell, a bad disk) is not seen here.
"""

from __future__ import annotations

from pathlib import Path

from pytest_modelqa.artifacts.hashing import file_names

State = tuple[tuple[str, int, int, int], ...]
"""Name, size in bytes, modification time in nanoseconds and inode of each file."""


class Unchanged:
    """The artifacts as they were when they were first looked at."""

    def __init__(self) -> None:
        self._states: dict[Path, State] = {}

    def look(self, path: Path) -> None:
        """Keep how a file or folder is now, unless it was looked at before."""
        if path not in self._states:
            self._states[path] = _state(path)

    def changed(self, path: Path) -> bool:
        """Whether it is another one by now. One that is gone was not changed: who holds it, has it.

        An empty state is that of nothing: a folder of which some files are gone was changed.
        """
        now = _state(path)
        return bool(now) and now != self._states[path]


def _state(path: Path) -> State:
    try:
        files = [path] if path.is_file() else [path / name for name in file_names(path)]
        stats = [(file.name, file.stat()) for file in files]
    except OSError:
        return ()
    return tuple((name, s.st_size, s.st_mtime_ns, s.st_ino) for name, s in stats)
