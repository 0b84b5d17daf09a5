"""An entry of the lockfile, whatever its source: here, verified, and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_modelqa.artifacts.fetching.fetch import Got, State, obtain
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.artifacts.hashing import hashes_of, sha256_of, size_of
from pytest_modelqa.artifacts.lock import Entry, Lock
from pytest_modelqa.core.errors import Refused, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Stocked:
    """`sha256` is the file's, or the folder's as `hashing.sha256_of` has it."""

    entry: Entry
    path: Path
    state: State
    sha256: str
    bytes: int


def stocked(entry: Entry, lock: Lock, cache: Path, settings: Settings) -> Stocked:
    """Have an entry here. Raises what `obtain` does; Refused where a local file is another one."""
    if entry.parsed.scheme == "file":
        path = _local(entry, lock.local(entry.source), cache, verify=settings.verify)
        got = Got(path=path, state="present")
    else:
        got = obtain(entry, cache, settings)
    return Stocked(
        entry=entry,
        path=got.path,
        state=got.state,
        sha256=sha256_of(got.path, cache),
        bytes=size_of(got.path),
    )


def _local(entry: Entry, path: Path, cache: Path, *, verify: bool) -> Path:
    """A `file:` source is used in its place; it has the right bytes, or it is refused."""
    if not path.exists():
        raise Unavailable(f"there is no {path}", where=entry.id, remedy="put the model there")
    for name, sha256 in entry.hashes.items():
        file = path if path.is_file() else path / name
        if not file.is_file():
            raise Unavailable(f"there is no {file}", where=entry.id, remedy="put the model there")
        if not file.resolve().is_relative_to(path.resolve()):
            raise Refused(f"{name} is a link that leaves {path}", where=entry.id)
        (found,) = hashes_of([file], cache, anew=verify)
        if found != sha256:
            raise Refused(
                f"sha256 of {file} is {found}, the pin says {sha256}",
                where=entry.id,
                remedy="get the right file, or correct the lockfile",
            )
    return path
