"""An input of a reader: some small files by their names, as bytes, a folder, or a JSON text."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

_MEMORY = "/dev/shm"  # noqa: S108 - folders in it have names that nobody can guess
Files = Mapping[str, bytes]
"""Relative name -> bytes; names are plain, without folders."""


def digest(files: Files) -> str:
    """Sixteen hex digits that tell two inputs apart."""
    made = hashlib.sha256()
    for name in sorted(files):
        made.update(f"{name}:{len(files[name])}:".encode() + files[name])
    return made.hexdigest()[:16]


def scratch() -> str | None:
    """A folder in memory for files that are written once and read once, where there is one."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) else None


def write(files: Files, folder: Path) -> None:
    """Make the folder hold these files and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.iterdir():
        if other.name not in files:
            other.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def read(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
