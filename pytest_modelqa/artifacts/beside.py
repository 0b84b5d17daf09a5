"""Files and folders that a playbook's block names, and what tells that one of them changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.core.ids import content_key


def beside(folder: Path, named: Mapping[str, str | None]) -> dict[str, str]:
    """The names that are given as absolute paths; relative ones are of `folder`.

    Raises UsageError where one is not there.
    """
    found = {key: (folder / name).resolve() for key, name in named.items() if name}
    for key, path in found.items():
        if not path.exists():
            raise UsageError(
                f"{key} names what is not there", where=str(path), remedy="see docs/training_run.md"
            )
    return {key: str(path) for key, path in found.items()}


def state_of(paths: Iterable[str]) -> str:
    """A key of the sizes and times of all files, and of those that a JSON file names in turn.

    Not of their bytes: a plan is made often, and a model's folder is large.
    """
    files = [file for path in paths for file in _files(Path(path))]
    seen = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(set(files))]
    return content_key(*map(list, seen)) if seen else ""


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file())
        return
    yield path
    if path.suffix == ".json":
        try:
            yield from filter(Path.is_file, _named(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError):
            return  # whoever reads the file tells what is wrong with it


def _named(value: Any) -> Iterator[Path]:
    """Texts that may be paths; those of a configuration are of the working directory."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _named(each)
    elif isinstance(value, str) and 0 < len(value) < 4096 and "\0" not in value:  # noqa: PLR2004
        yield Path(value)
