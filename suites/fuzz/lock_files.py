"""Lockfiles: a sound one as a tree, edited."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from suites.fuzz import tree_edits
from suites.fuzz.byte_edits import edited as edited_bytes
from suites.fuzz.files import Files

NAME = "models.lock.json"
_HASH = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_FILE = {"path": "m.gguf", "sha256": _HASH, "bytes": 98_362_432}


def _entry(name: str, source: str, *files: Any, **more: Any) -> dict[str, Any]:
    common = {"id": name, "tier": "full", "source": source, "revision": "1", "licence": "MIT"}
    return {**common, "files": list(files), **more}


LOCK = {
    "version": 1,
    "models": [
        _entry("built", "build:ci-light", tier="ci-light"),
        _entry("one", "pypi:some-dist:some_dist/m.gguf", _FILE),
        _entry("two", "hf:org/name", _FILE, {**_FILE, "path": "a/b.json"}, accept=True),
        _entry("three", "https://example.org/m.gguf", {**_FILE, "urls": ["https://a.b/m.gguf"]}),
        _entry("four", "file:models/m.gguf", _FILE),
    ],
}
_PATHS = (
    "..", "../x", "a/../../x", "/x", "a//b", "./x", ".hidden", "a/.b", "C:\\x", "a\\..\\b", "x:y",
    "x\n", "\x00", "", " ", "a" * 5000, "a/b/c/d", "M.GGUF", "m.gguf/x", "\u2024\u2024/x",
    "\ud800", "x\u2028y",
)  # fmt: skip
_SOURCES = (
    "hf:../x", "hf:a/b:../c", "hf:a/b:", "pypi:x:/etc/passwd", "pypi:x:../y", "build:..", "file:",
    "https://", "https://a", "https://a/..", "http://a/b", "http://localhost/x", "ftp://a/b", "x",
    "https://a/b?c", "https://[::1", "http://[::1]:x/y", "file:\x00", "file:/dev/null", ":", "",
)  # fmt: skip


def seeds() -> tuple[Files, ...]:
    """The sound lockfiles that mutations start from."""
    return ({NAME: json.dumps(LOCK).encode()},)


def mutated(dice: Random) -> Files:
    """One mutated lockfile."""
    made: Any = tree_edits.cloned(LOCK)
    pick = dice.randrange(4)
    entry = dice.choice(made["models"][1:])
    if pick == 0:
        entry["files"][0]["path"] = dice.choice(_PATHS)
    elif pick == 1:
        entry["source"] = dice.choice(_SOURCES)
    else:
        made = tree_edits.edited(dice, made)
    data = tree_edits.text(dice, made)
    return {NAME: edited_bytes(dice, data) if dice.randrange(10) == 0 else data}
