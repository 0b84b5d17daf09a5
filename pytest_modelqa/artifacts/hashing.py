"""SHA-256 of files and folders, remembered by size and modification time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
        return hashes_of([path], cache)[0]
    names = file_names(path)
    found = hashes_of([path / name for name in names], cache)
    return digest(canonical([list(pair) for pair in zip(names, found, strict=True)]))


def hashes_of(files: Sequence[Path], cache: Path, *, anew: bool = False) -> list[str]:
    """The hashes of files, in their order, several measured at once; `anew` trusts no memory."""
    known = {} if anew else {f: _remembered(f, cache) for f in files}
    unknown = [f for f in files if not known.get(f)]
    one = measured if anew else partial(_measured, cache=cache)
    if len(unknown) > 1:
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            known |= zip(unknown, pool.map(one, unknown), strict=True)
    else:
        known |= {f: one(f) for f in unknown}
    return [known[f] for f in files]


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


def record(path: Path, sha256: str, cache: Path) -> None:
    """Remember the hash of a file that was measured while it was written."""
    memory, state = _memory(path, cache)
    _remember(memory, canonical({"state": state, "sha256": sha256}))


def _memory(path: Path, cache: Path) -> tuple[Path, list[object]]:
    stat = path.stat()
    state = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino]
    return cache / "digests" / f"{digest(canonical(state))[:32]}.json", state


def _remembered(path: Path, cache: Path) -> str:
    """The hash that was measured of this very state of the file, or nothing."""
    memory, state = _memory(path, cache)
    try:
        found = json.loads(memory.read_text())
        return str(found["sha256"]) if found["state"] == state else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # nothing remembered, or not readable: measure


def _measured(path: Path, cache: Path) -> str:
    memory, state = _memory(path, cache)  # before: what changes meanwhile is not remembered
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
