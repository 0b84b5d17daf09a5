"""The newest adapter of a folder of runs."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_modelqa.artifacts.adapter import SETTINGS, WEIGHTS
from pytest_modelqa.core.errors import UsageError
from training.written import RUN


def newest_adapter(folder: Path) -> Path:
    """The folder itself where it is an adapter's, else the newest in it, by when its run began.

    Runs that are at work, and folders that lack the weights, are not taken. Raises UsageError
    where none is left.
    """
    if (folder / SETTINGS).is_file():
        return folder
    found = [p for p in folder.glob("*") if not p.name.startswith(".") and _is_whole(p)]
    if not found:
        raise UsageError(
            "there is no adapter in this folder",
            where=str(folder),
            remedy="modelqa train run CONFIG makes one; or name its folder",
        )
    return max(found, key=lambda p: (_began(p), p.name))


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (SETTINGS, WEIGHTS))


def _began(folder: Path) -> str:
    """ISO 8601 in UTC, so that texts sort as times; empty for another tool's adapter."""
    try:
        return str(json.loads((folder / RUN).read_text(encoding="utf-8"))["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
