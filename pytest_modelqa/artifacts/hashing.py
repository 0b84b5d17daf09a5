"""SHA-256 of files and folders, remembered by size and modification time."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from platformdirs import user_cache_path

from pytest_modelqa.core.ids import canonical, digest


def cache_root() -> Path:
    """`MODELQA_CACHE`, else the platform's cache folder."""
    given = os.environ.get("MODELQA_CACHE")
    return Path(given) if given else user_cache_path("modelqa")


def sha256_of(path: Path, cache: Path) -> str:
    """The hash of a file; of a folder, that of its sorted (relative name, sha256) pairs.

    A remembered digest is used while path, size, mtime_ns and inode are unchanged.
    """
    if path.is_file():
        return _file(path, cache)
    return digest(canonical([[name, _file(path / name, cache)] for name in file_names(path)]))


def file_names(folder: Path) -> list[str]:
    """The files of a folder that are part of a model, relative and sorted: all but hidden ones."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return [p.relative_to(folder).as_posix() for p in files]


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def measured(path: Path) -> str:
    """Hash a file's bytes now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file(path: Path, cache: Path) -> str:
    stat = path.stat()
    state = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino]
    memory = cache / "digests" / f"{digest(canonical(state))[:32]}.json"
    try:
        remembered = json.loads(memory.read_text())
        if remembered["state"] == state:
            return str(remembered["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing remembered, or not readable: measure
    sha256 = measured(path)
    _remember(memory, canonical({"state": state, "sha256": sha256}))
    return sha256


def _remember(memory: Path, text: str) -> None:
    """Best effort: a cache that cannot be written costs time, not truth."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        part = memory.with_suffix(f".{os.getpid()}.part")
        part.write_text(text)
        part.replace(memory)
    except OSError:
        return
