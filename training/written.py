"""Writing so that nothing under a final name is ever half there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.folders import flush

RUN = "run.json"
"""In the folder of every run: configuration, base, data, device, versions, first weights."""


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Whole or not at all: beside it first, then renamed."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    flush(part)
    part.replace(path)


def publish(part: Path, final: Path) -> None:
    """Have all of a folder on the disk, then give it its name."""
    for path in (*part.rglob("*"), part):
        flush(path)
    part.rename(final)
    flush(final.parent)
