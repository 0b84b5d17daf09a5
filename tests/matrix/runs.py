"""What one `pytest --playbook` run left behind, read from everything that a team reads it from.

Standard library only: `run.py` imports this where nothing is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

Outcomes = dict[str, tuple[str, ...]]
"""By name, each outcome that was reported under it: a case that was reported twice shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. `folder` is where pytest was started; the rest is what is compared.

    `asked` counts the answers that engines gave; `items` are pytest's own, reruns left out;
    `properties` how often pytest's JUnit file carries the verdict of an item.
    """

    folder: Path
    text: str
    exit_code: int
    report: Outcomes
    evidence: Outcomes
    junit: Outcomes
    items: Outcomes
    properties: dict[str, int]
    score: str
    asked: int

    @property
    def order(self) -> list[str]:
        """Item names in the order in which they ran."""
        return list(_items(self.folder / "pytest.xml"))

    @property
    def divided_cells(self) -> set[str]:
        """Cells whose cases more than one process judged."""
        seen: dict[str, set[Path]] = {}
        for file in (self.folder / "out").glob("*.evidence.jsonl"):
            for line in _lines(file, "result"):
                seen.setdefault(line["result"]["case"]["scope"], set()).add(file)
        return {cell for cell, files in seen.items() if len(files) > 1}


def qualify(folder: Path, *args: str, python: str = sys.executable) -> Run:
    """Start pytest in a folder that holds a project, as a person would; read what it left."""
    command = [python, "-m", "pytest", "--playbook=book.yaml", "--modelqa-report=out"]
    done = subprocess.run(
        [*command, "--junitxml=pytest.xml", "test_team.py", *args],
        cwd=folder,
        env=_plain_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    text = done.stdout + done.stderr
    report = folder / "out" / "report.json"
    if not report.exists():
        raise AssertionError(f"no report; exit code {done.returncode}\n{text}")
    [first] = json.loads(report.read_text())["reports"]
    evidence = list((folder / "out").glob("*.evidence.jsonl"))
    results = [line["result"] for file in evidence for line in _lines(file, "result")]
    return Run(
        folder=folder,
        text=text,
        exit_code=done.returncode,
        report=_outcomes(first["record"]["results"]),
        evidence=_outcomes(results),
        junit=_junit(folder / "out" / "junit.xml"),
        items={name: (found[-1].tag,) for name, found in _items(folder / "pytest.xml").items()},
        properties=_properties(folder / "pytest.xml"),
        score=json.dumps(first["score"], sort_keys=True),
        asked=sum(1 for file in evidence for _ in _lines(file, "answer")),
    )


def differences(plain: Run, beside: Run) -> list[str]:
    """What the two runs do not agree on, a line each; empty when a team could not tell."""
    found = []
    for name in (f.name for f in fields(Run) if f.name not in {"folder", "text"}):
        one, other = getattr(plain, name), getattr(beside, name)
        if not isinstance(one, dict):
            found += [f"{name}: {one} became {other}"] if one != other else []
            continue
        keys = sorted(one.keys() | other.keys())
        found += [
            f"{name} {k}: {one.get(k)} became {other.get(k)}"
            for k in keys
            if one.get(k) != other.get(k)
        ]
    return found


def _plain_environment() -> dict[str, str]:
    """Without what the outer pytest set for itself."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHONPATH"))}


def _lines(file: Path, kind: str) -> Iterator[dict[str, Any]]:
    for line in file.read_text().splitlines():
        data = json.loads(line)
        if data["type"] == kind:
            yield data


def _outcomes(results: list[dict[str, Any]]) -> Outcomes:
    made: Outcomes = {}
    for result in results:
        case_id = result["case"]["id"]
        made[case_id] = (*made.get(case_id, ()), result["verdict"]["outcome"])
    return made


def _junit(file: Path) -> Outcomes:
    made: Outcomes = {}
    for case in ET.parse(file).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        kinds = {e.tag for e in case} & {"failure", "error", "skipped"}
        made[name] = (*made.get(name, ()), *(kinds or {"passed"}))
    return made


def _items(file: Path) -> dict[str, list[ET.Element]]:
    """pytest's JUnit entries by item; the tag of each is its outcome. Reruns add entries."""
    made: dict[str, list[ET.Element]] = {}
    for case in ET.parse(file).iter("testcase"):
        kinds = [e.tag for e in case if e.tag in {"failure", "error", "skipped"}]
        outcome = ET.Element(kinds[0] if kinds else "passed")
        outcome.extend(case.iter("property"))
        made.setdefault(f"{case.get('classname')}::{case.get('name')}", []).append(outcome)
    return made


def _properties(file: Path) -> dict[str, int]:
    return {
        name: sum(p.get("name") == "modelqa.outcome" for p in found[-1])
        for name, found in _items(file).items()
    }
