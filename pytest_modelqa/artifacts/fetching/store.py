"""The cache: `blobs/SHA256` holds bytes, `models/KEY/NAME` shows them under their names.

A name in `models` is a hard link to its blob (a copy where the file system has none), so a file
that two entries share is stored once. A blob gets its final name only after its hash was found
right and its bytes are on the disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_modelqa.artifacts.fetching.part import Part
from pytest_modelqa.artifacts.folders import flush, locked, publish
from pytest_modelqa.artifacts.hashing import file_names, hashes_of, record
from pytest_modelqa.core.ids import canonical, digest


def blob_path(cache: Path, sha256: str) -> Path:
    """Where the bytes with this hash are, or will be."""
    return cache / "blobs" / sha256


def part_path(cache: Path, sha256: str) -> Path:
    """Where those bytes are collected."""
    return cache / "blobs" / f"{sha256}.part"


def shown_path(cache: Path, files: Mapping[str, str]) -> Path:
    """The folder that shows `files` (name to sha256); keyed by the hash such a folder has."""
    return cache / "models" / digest(canonical(sorted([n, s] for n, s in files.items())))[:32]


def held(cache: Path, files: Mapping[str, str], *, verify: bool = False) -> Path | None:
    """The folder with exactly these files, or None. What turns out wrong is removed at once.

    Cheap: size, modification time and inode against the recorded digest; `verify` reads it all.
    """
    folder = shown_path(cache, files)
    if not folder.is_dir():
        return None
    paths = [folder / name for name in files]
    same = file_names(folder) == sorted(files) and not any(p.is_symlink() for p in paths)
    if same and hashes_of(paths, cache, anew=verify) == list(files.values()):
        return folder
    with locked(folder.with_suffix(".lock")):
        shutil.rmtree(folder, ignore_errors=True)
    return None


def keep(cache: Path, sha256: str, fill: Callable[[Part], None], *, verify: bool = False) -> None:
    """Have the blob; `fill` completes a part of it, which must have the hash on return.

    One process fills, the others wait for it. A blob that is not what its name says is replaced.
    """
    blob, path = blob_path(cache, sha256), part_path(cache, sha256)
    with locked(cache / "blobs" / f"{sha256}.lock"):
        if blob.is_file():
            if _right(blob, sha256, cache, verify=verify):
                return
            blob.unlink()
        with Part(path) as part:
            fill(part)
            part.finish()
        path.replace(blob)
        flush(blob.parent)
        record(blob, sha256, cache)


def adopt(cache: Path, key: str, fill: Callable[[Part], None]) -> str:
    """Keep bytes that nothing pins yet; their SHA-256. Never continued: nothing could tell."""
    path = cache / "blobs" / f"new-{digest(key)[:32]}.part"
    with locked(path.with_suffix(".lock")):
        with Part(path) as part:
            part.restart()
            fill(part)
            part.finish()
            sha256 = part.sha256()
        blob = blob_path(cache, sha256)
        path.replace(blob)
        flush(blob.parent)
        record(blob, sha256, cache)
    return sha256


def missing_bytes(cache: Path, sha256: str, size: int) -> int:
    """How many bytes are still to be written for a blob of this size."""
    if blob_path(cache, sha256).is_file():
        return 0
    part = part_path(cache, sha256)
    return max(0, size - (part.stat().st_size if part.is_file() else 0))


def show(cache: Path, files: Mapping[str, str]) -> Path:
    """The folder that shows these blobs, made now if it is not there."""
    folder = shown_path(cache, files)

    def link(part: Path) -> None:
        for name, sha256 in files.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            _link(blob_path(cache, sha256), part / name)

    publish(folder, link)
    for name, sha256 in files.items():
        record(folder / name, sha256, cache)
    return folder


def _link(blob: Path, name: Path) -> None:
    try:
        os.link(blob, name)
    except OSError:  # no hard links here
        shutil.copyfile(blob, name)


def _right(path: Path, sha256: str, cache: Path, *, verify: bool) -> bool:
    return not path.is_symlink() and hashes_of([path], cache, anew=verify) == [sha256]
