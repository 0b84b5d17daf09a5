"""The files of a ship decision, written whole or not at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from pytest_modelqa.core.errors import OutputError
from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.score import Judged
from pytest_modelqa.core.shipping import ShipDecision
from pytest_modelqa.reports.files import write_text
from pytest_modelqa.reports.shipping.beside import told
from pytest_modelqa.reports.shipping.canaries import canary_report
from pytest_modelqa.reports.shipping.causes import causes
from pytest_modelqa.reports.shipping.evals import file_names, harness_report
from pytest_modelqa.reports.shipping.final import final_report
from pytest_modelqa.reports.shipping.history import FILE, last_cleared
from pytest_modelqa.reports.shipping.incident import incident
from pytest_modelqa.reports.shipping.ladder import remedies

CANARIES = "canary_report.json"
INCIDENT = "incident.md"


def write_decisions(
    folder: Path, judged: Sequence[Judged], beside: Mapping[str, Sequence[Path]]
) -> dict[str, Path]:
    """Those of all records that end in a decision; their paths by kind. Raises OutputError.

    `beside` are folders that may tell of a model's making, by the playbook's hash. Several
    decisions have a folder each, named after their playbooks.
    """
    decided = [(j.record, j.ship) for j in judged if j.ship is not None]
    paths: dict[str, Path] = {}
    for name, (record, ship) in zip(_names([r for r, _ in decided]), decided, strict=True):
        target = folder / name
        found = _written(target, record, ship, beside.get(record.run.playbook_sha256, ()))
        paths |= {f"{kind} {name}".strip(): path for kind, path in found.items()}
    return paths


def _names(records: Sequence[RunRecord]) -> list[str]:
    """No folder of its own for the only one."""
    if len(records) == 1:
        return [""]
    stems = [f"ship-{PurePath(r.run.playbook).stem}" for r in records]
    alike = Counter(stems)
    return [
        f"{stem}-{r.run.playbook_sha256[:8]}" if alike[stem] > 1 else stem
        for stem, r in zip(stems, records, strict=True)
    ]


def _written(
    folder: Path, record: RunRecord, ship: ShipDecision, beside: Sequence[Path]
) -> dict[str, Path]:
    names = file_names(ship)
    documents = {names[line.case_id]: harness_report(record, line) for line in ship.harnesses}
    documents |= {CANARIES: canary_report(record, ship), FILE: final_report(record, ship)}
    texts = {name: _json(values) for name, values in documents.items()}
    if not ship.cleared:
        texts[INCIDENT] = _incident(folder, record, ship, beside)
    _replace(folder, texts)
    shown = {"decision": FILE, "canaries": CANARIES, "incident": INCIDENT}
    return {kind: folder / name for kind, name in shown.items() if name in texts}


def _incident(folder: Path, record: RunRecord, ship: ShipDecision, beside: Sequence[Path]) -> str:
    found = causes(record, told(beside))
    cleared = last_cleared(folder, record.run.playbook)
    ladder = remedies(record, ship, found, cleared)
    return incident(record, ship, causes=found, ladder=ladder, cleared=cleared)


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def _replace(folder: Path, texts: Mapping[str, str]) -> None:
    """An incident of an earlier decision in the same folder does not outlive this one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if INCIDENT not in texts:
            (folder / INCIDENT).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write the decision: {error.strerror or error}",
            where=str(folder),
            remedy="choose another folder",
        ) from error
    for name, text in texts.items():
        write_text(folder / name, text)
