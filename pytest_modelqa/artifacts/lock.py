"""`models.lock.json`: the SHA-256 that each source must have. Read strictly."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_modelqa.artifacts.sources import Source, is_path, parse
from pytest_modelqa.core.errors import UsageError

NAME = "models.lock.json"
TIERS = ("ci-light", "integration", "full")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_URL = re.compile(r"(?:https://|http://(?:localhost|127\.0\.0\.1|\[::1\])[:/])[^\s\\#@]+")
_ENTRY = {"id", "tier", "source", "revision", "licence", "files"}
_FILE = {"path", "sha256", "bytes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """One file of an entry; `path` is relative to the source.

    `bytes` is None only where a playbook pins a file that no lockfile knows. `urls` are mirrors,
    asked in this order after the source itself.
    """

    path: str
    sha256: str
    bytes: int | None
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A pinned source. `source` is what playbooks write; without files it is built here.

    `accept` tells that the licence must be accepted before anything is fetched.
    """

    id: str
    tier: str
    source: str
    revision: str
    licence: str
    files: tuple[LockedFile, ...]
    accept: bool = False

    @property
    def parsed(self) -> Source:
        """The source, taken apart. Raises UsageError; not where a lockfile was read."""
        return parse(self.source)

    @property
    def pinned(self) -> bool:
        """Whether the lockfile knows the bytes."""
        return bool(self.files)

    @property
    def hashes(self) -> dict[str, str]:
        """Name to SHA-256."""
        return {f.path: f.sha256 for f in self.files}


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
        return f"file:{self.local(source)}"

    def local(self, source: str) -> Path:
        """Where a `file:` source of an entry lies."""
        return (self.path.parent / source.removeprefix("file:")).resolve()


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
        _once(path, key, [getattr(e, key) for e in entries])
    return Lock(path=path, entries=entries)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} occurs twice in one object")
        found[key] = value
    return found


def _once(path: Path, what: str, values: list[str]) -> None:
    """Case does not tell two apart: not every file system sees it."""
    counts = Counter(v.casefold() for v in values)
    if twice := next((v for v in values if counts[v.casefold()] > 1), None):
        raise _wrong(path, f"{what} {twice!r} occurs twice")


def _entry(path: Path, number: int, data: Any) -> Entry:
    where = f"models[{number}]"
    _keys(path, where, data, _ENTRY, {"accept"})
    if data["tier"] not in TIERS:
        raise _wrong(path, f"{where}.tier: {data['tier']!r} is not one of {', '.join(TIERS)}")
    texts = {k: data[k] for k in ("id", "tier", "source", "revision", "licence")}
    if bad := next((k for k, v in texts.items() if not isinstance(v, str)), None):
        raise _wrong(path, f"{where}.{bad}: not a text")
    if not _ID.fullmatch(texts["id"]):
        raise _wrong(path, f"{where}.id: letters, digits, `.`, `_` and `-` are allowed")
    if not isinstance(data.get("accept", False), bool):
        raise _wrong(path, f"{where}.accept: true or false is needed")
    if not isinstance(data["files"], list):
        raise _wrong(path, f"{where}.files: not a list")
    files = tuple(_file(path, f"{where}.files[{i}]", f) for i, f in enumerate(data["files"]))
    entry = Entry(**texts, files=files, accept=data.get("accept", False))
    _fits(path, where, entry)
    return entry


def _fits(path: Path, where: str, entry: Entry) -> None:
    """Source, revision and files have to agree."""
    try:
        source = entry.parsed
    except UsageError as error:
        raise _wrong(path, f"{where}.source: {error.what}") from error
    if source.scheme == "hf" and not entry.revision:
        raise _wrong(path, f"{where}.revision: a commit or tag is needed for hf:")
    if not entry.files and source.scheme != "build":
        raise _wrong(path, f"{where}.files: at least one file is needed")
    if source.single and len(entry.files) != 1:
        raise _wrong(path, f"{where}.files: the source names one file, here are more")
    _once(path, f"{where}.files: path", [f.path for f in entry.files])
    folders = {str(p) for f in entry.files for p in PurePosixPath(f.path).parents}
    if both := next((f.path for f in entry.files if f.path in folders), None):
        raise _wrong(path, f"{where}.files: {both!r} is a file and a folder")


def _file(path: Path, where: str, data: Any) -> LockedFile:
    _keys(path, where, data, _FILE, {"urls"})
    name, sha256, count = data["path"], data["sha256"], data["bytes"]
    if not is_path(name):
        raise _wrong(path, f"{where}.path: {name!r} leaves its folder, or is hidden")
    if not isinstance(sha256, str) or not _HEX.fullmatch(sha256):
        raise _wrong(path, f"{where}.sha256: 64 hex digits are needed")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise _wrong(path, f"{where}.bytes: {count!r} is no size")
    urls = data.get("urls", [])
    if not isinstance(urls, list) or not all(
        isinstance(u, str) and _URL.fullmatch(u) for u in urls
    ):
        raise _wrong(path, f"{where}.urls: https: addresses are needed")
    return LockedFile(path=name, sha256=sha256.lower(), bytes=count, urls=tuple(urls))


def _keys(path: Path, where: str, data: Any, expected: set[str], optional: set[str]) -> None:
    if not isinstance(data, dict):
        raise _wrong(path, f"{where}: not an object")
    if difference := sorted((data.keys() - optional) ^ expected):
        wrong = difference[0]
        verb = "is unknown" if wrong in data else "is missing"
        known = ", ".join(sorted(expected | optional))
        raise _wrong(path, f"{where}.{wrong} {verb}; the keys are {known}")


def _wrong(path: Path, what: str) -> UsageError:
    return UsageError(
        what, where=str(path), remedy="see pytest_modelqa/schemas/models-lock.schema.json"
    )
