"""The last decision that was CLEARED: what to go back to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_modelqa.reports.shipping.final import FORMAT

FILE = "eval_report_final.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """An artifact that was cleared: its key and hash, by which run, and the report of it.

    `report` is a path from the folder of the run that asks.
    """

    artifact: str
    sha256: str
    run: str
    timestamp: str
    report: str


def last_cleared(folder: Path, playbook: str) -> Cleared | None:
    """The newest among the runs beside this one, of the same playbook; None where there is none."""
    here = folder.resolve()
    found = [c for path in _beside(here) for c in _cleared(path, playbook, here)]
    return max(found, key=lambda c: c.timestamp, default=None)


def _beside(here: Path) -> Iterator[Path]:
    for path in sorted(here.parent.glob(f"*/{FILE}")):
        if path.parent != here:
            yield path


def _cleared(path: Path, playbook: str, here: Path) -> Iterator[Cleared]:
    """Nothing where the file is no report, or not a CLEARED one of the playbook."""
    try:
        report: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        same = report["format"] == FORMAT and report["playbook"] == playbook
        if same and report["cleared_for_deployment"] is True:
            yield Cleared(
                artifact=str(report["artifact"]),
                sha256=str(report["artifact_sha256"]),
                run=str(report["run"]),
                timestamp=str(report["timestamp"]),
                report=Path(os.path.relpath(path, here)).as_posix(),
            )
    except (OSError, ValueError, KeyError, TypeError):
        return
