"""Lockfiles and entries for tests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.artifacts.lock import Entry, load_lock


def entry_of(source: str, files: Mapping[str, bytes], **more: Any) -> dict[str, Any]:
    """An entry that pins these bytes."""
    listed = [
        {"path": n, "sha256": hashlib.sha256(d).hexdigest(), "bytes": len(d)}
        for n, d in files.items()
    ]
    entry = {"id": "one", "tier": "full", "source": source, "revision": "v1", "licence": "MIT"}
    return entry | {"files": listed} | more


def locked(folder: Path, *entries: dict[str, Any]) -> Path:
    """Write a lockfile."""
    path = folder / "models.lock.json"
    path.write_text(json.dumps({"version": 1, "models": entries}))
    return path


def entry(folder: Path, source: str, files: Mapping[str, bytes], **more: Any) -> Entry:
    """The same, as read back."""
    return load_lock(locked(folder, entry_of(source, files, **more))).entries[0]


def assert_no_bad_file(cache: Path) -> None:
    """Whatever has a final name is what its name says."""
    for blob in (cache / "blobs").glob("*"):
        if re.fullmatch("[0-9a-f]{64}", blob.name):
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    for folder in (cache / "models").glob("*"):
        if folder.is_dir() and not folder.suffix:
            assert sha256_of(folder, cache / "fresh")[:32] == folder.name
