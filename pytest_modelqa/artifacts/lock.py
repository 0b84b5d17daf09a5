"""`models.lock.json`: the SHA-256 that each source must have. Read strictly."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_modelqa.core.errors import UsageError

NAME = "models.lock.json"
TIERS = ("ci-light", "integration", "full")

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_ENTRY = {"id", "tier", "source", "revision", "licence", "files"}
_FILE = {"path", "sha256", "bytes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """One file of an entry; `path` is relative to the source."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A pinned source. `source` is what playbooks write."""

    id: str
    tier: str
    source: str
    revision: str
    licence: str
    files: tuple[LockedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All entries of a lockfile."""

    path: Path
    entries: tuple[Entry, ...]

    def of_source(self, source: str) -> Entry | None:
        """The entry that pins a source. An entry's `file:` path counts from the lock's folder."""
        return next((e for e in self.entries if self._absolute(e.source) == source), None)

    def _absolute(self, source: str) -> str:
        if not source.startswith("file:"):
            return source
        return f"file:{(self.path.parent / source.removeprefix('file:')).resolve()}"


def find_lock(folder: Path) -> Path:
    """The nearest lockfile at or above `folder`; else the one that ships with this package."""
    for place in (folder, *folder.parents):
        if (place / NAME).is_file():
            return place / NAME
    package = Path(__file__).parent.parent
    return package / NAME if (package / NAME).is_file() else package.parent / NAME


def load_lock(path: Path) -> Lock:
    """Read a lockfile. Raises UsageError with the file, the entry, and what was expected."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(path, f"cannot be read: {error}") from error
    if not isinstance(data, dict) or set(data) != {"version", "models"} or data["version"] != 1:
        raise _wrong(path, 'is not {"version": 1, "models": [...]}')
    if not isinstance(data["models"], list):
        raise _wrong(path, "models: not a list")
    entries = tuple(_entry(path, i, e) for i, e in enumerate(data["models"]))
    for key in ("id", "source"):
        values = [getattr(e, key) for e in entries]
        if twice := next((v for v in values if values.count(v) > 1), None):
            raise _wrong(path, f"{key} {twice!r} occurs twice")
    return Lock(path=path, entries=entries)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} occurs twice in one object")
        found[key] = value
    return found


def _entry(path: Path, number: int, data: Any) -> Entry:
    where = f"models[{number}]"
    _keys(path, where, data, _ENTRY)
    if data["tier"] not in TIERS:
        raise _wrong(path, f"{where}.tier: {data['tier']!r} is not one of {', '.join(TIERS)}")
    texts = {k: data[k] for k in ("id", "tier", "source", "revision", "licence")}
    if bad := next((k for k, v in texts.items() if not isinstance(v, str)), None):
        raise _wrong(path, f"{where}.{bad}: not a text")
    if not isinstance(data["files"], list) or not data["files"]:
        raise _wrong(path, f"{where}.files: at least one file is needed")
    files = tuple(_file(path, f"{where}.files[{i}]", f) for i, f in enumerate(data["files"]))
    return Entry(**texts, files=files)


def _file(path: Path, where: str, data: Any) -> LockedFile:
    _keys(path, where, data, _FILE)
    name, sha256, count = data["path"], data["sha256"], data["bytes"]
    parts = PurePosixPath(str(name)).parts
    if (
        not isinstance(name, str)
        or not parts
        or name.startswith("/")
        or "\\" in name
        or "\0" in name
        or ".." in parts
    ):
        raise _wrong(path, f"{where}.path: {name!r} leaves its folder")
    if not isinstance(sha256, str) or not _HEX.fullmatch(sha256):
        raise _wrong(path, f"{where}.sha256: 64 hex digits are needed")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise _wrong(path, f"{where}.bytes: {count!r} is no size")
    return LockedFile(path=name, sha256=sha256.lower(), bytes=count)


def _keys(path: Path, where: str, data: Any, expected: set[str]) -> None:
    if not isinstance(data, dict):
        raise _wrong(path, f"{where}: not an object")
    if difference := sorted(data.keys() ^ expected):
        wrong = difference[0]
        verb = "is unknown" if wrong in data else "is missing"
        raise _wrong(path, f"{where}.{wrong} {verb}; the keys are {', '.join(sorted(expected))}")


def _wrong(path: Path, what: str) -> UsageError:
    return UsageError(
        what, where=str(path), remedy="see pytest_modelqa/schemas/models-lock.schema.json"
    )
