"""Folders that appear whole or not at all, and are made once however many processes want them."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_modelqa.core.errors import OutputError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an advisory lock on the file `path`, made where absent; it dies with its process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish(target: Path, make: Callable[[Path], None]) -> None:
    """Let `make` fill a folder beside `target`, then rename it; nothing to do where it exists.

    A lock file serialises processes; a process that dies leaves a part that the next one removes.
    """
    if target.is_dir():
        return
    try:
        with locked(target.with_suffix(".lock")):
            if target.is_dir():
                return
            part = target.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            make(part)
            _flush(part)
            part.rename(target)
            flush(target.parent)
    except OSError as error:
        raise OutputError(
            f"cannot write the cache: {error.strerror or error}",
            where=str(target),
            remedy="free space, or set MODELQA_CACHE to a folder that can be written",
        ) from error


def flush(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _flush(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        flush(path)
