"""playbooks/verify/training-ci-light.yaml, as a user runs it: every stage is an item, all hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.plan import make
from pytest_modelqa.playbook.load import load

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "playbooks" / "verify" / "training-ci-light.yaml"
GATES = {
    "training-data": "F-TRAINING-DATA",
    "training-run": "F-TRAINING-RUN",
    "training-merge": "F-TRAINING-MERGE",
    "training-gguf-f16": "F-TRAINING-GGUF",
    "training-gguf-q4_k_m": "F-TRAINING-GGUF",
}


def test_every_stage_is_an_item() -> None:
    cases = make(load(BOOK, oracle_table())).cases
    assert {c.check.name: c.check.gate for c in cases if c.measurement} == GATES


@pytest.mark.nightly
def test_every_stage_of_ci_light_is_corroborated(tmp_path: Path) -> None:
    stages = "data or run or merge or gguf"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--playbook", str(BOOK), "-k", stages),
            *("-p", "no:cacheprovider", "--modelqa-report", str(tmp_path), "--modelqa-strict"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    (report,) = json.loads((tmp_path / "report.json").read_text())["reports"]
    found = {r["case"]["name"]: r["verdict"]["outcome"] for r in report["record"]["results"]}
    assert found == dict.fromkeys(GATES, "corroborated")
