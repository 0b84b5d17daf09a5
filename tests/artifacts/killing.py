"""A process that kills itself with SIGKILL at the N-th thing it does to the cache, for every N.

`python -m tests.artifacts.killing LOCKFILE FOLDER`: each N has a cache of its own in FOLDER. After
each kill no final name may stand for wrong bytes, and a next fetch has to complete. Prints N.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from pytest_modelqa.artifacts.fetching.fetch import obtain
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.artifacts.lock import Entry, load_lock
from tests.artifacts.locking import assert_no_bad_file

_STEPS = ("open", "os.", "fcntl.", "shutil.", "socket.connect", "tempfile.")
"""Audit events of files, folders, locks and connections; each is raised before it happens."""


def main() -> int:
    """Kill at step 1, 2, ... until a fetch ends before its step comes."""
    entry = load_lock(Path(sys.argv[1])).entries[0]
    at, alive = 0, False
    while not alive:
        at += 1
        cache = Path(sys.argv[2], str(at))
        alive = _killed(entry, cache, at) == 0
        assert_no_bad_file(cache)
        got = obtain(entry, cache, Settings())
        assert got.state == ("present" if alive else got.state)
        assert sorted(f.sha256 for f in entry.files) == sorted(
            sha256_of(got.path / f.path, cache / "fresh") for f in entry.files
        )
        assert_no_bad_file(cache)
        assert not [*cache.glob("blobs/*.part"), *cache.glob("models/*.part")]
    print(at)  # noqa: T201 - what the test reads
    return 0


def _killed(entry: Entry, cache: Path, at: int) -> int:
    """The status of a child that fetched and was killed at its step."""
    pid = os.fork()
    if pid == 0:
        _kill_at(at)
        obtain(entry, cache, Settings())
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def _kill_at(step: int) -> None:
    left = step

    def hook(event: str, _: object) -> None:
        nonlocal left
        if event.startswith(_STEPS):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    sys.exit(main())
