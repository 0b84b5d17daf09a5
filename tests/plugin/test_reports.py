"""What a run leaves behind is valid by the committed schemas, and says what happened."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from jsonschema import Draft202012Validator

from tests.conftest import ScriptedPlaybook, scenario
from tests.plugin.conftest import Run
from tests.reports.junit_schema import junit_problems

SCHEMAS = Path(__file__).parents[2] / "pytest_modelqa" / "schemas"


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / name).read_text()))


def test_every_report_of_a_mixed_run_is_valid(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    book = scripted(
        scenario("good", "Which?"),
        scenario("moon", "Where?", expected="Moon"),
        scenario("bad", "boom \x07\x1b[31m <b>&amp; é🙂"),
        extra="parity: {enabled: true}",
        rules=[{"match": "boom", "do": "segfault"}],
    )
    out = tmp_path / "out"
    own = tmp_path / "own.xml"
    result = qualify(book, "--modelqa-report", str(out), "--junitxml", str(own))
    result.assert_outcomes(passed=6, failed=2, skipped=1)
    for xml in (own, out / "junit.xml"):
        assert junit_problems(xml.read_text()) == []
    schema("report.schema.json").validate(json.loads((out / "report.json").read_text()))
    (evidence,) = out.glob("*.evidence.jsonl")
    lines = [json.loads(line) for line in evidence.read_text().splitlines()]
    assert len(lines) > 20
    for line in lines:
        schema("evidence.schema.json").validate(line)


def test_pytests_own_junit_tells_hash_cell_gate_outcome_and_score(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    own = tmp_path / "own.xml"
    qualify(scripted(), "--junitxml", str(own))
    root = ElementTree.parse(own).getroot()
    suite = {p.get("name"): p.get("value") for p in root.findall("./testsuite/properties/property")}
    prefix = next(k for k in suite if k and k.endswith(".score_low")).removesuffix(".score_low")
    assert suite[f"{prefix}.model"] == "test/scripted"
    assert suite[f"{prefix}.status"] == "Blocked"
    assert suite[f"{prefix}.grade"]
    case = root.find("./testsuite/testcase[@name='G2']")
    assert case is not None
    said = {p.get("name"): p.get("value") for p in case.findall("./properties/property")}
    assert said["modelqa.cell"] == "gguf-f32-cpu-chat"
    assert said["modelqa.gate"] == "G2"
    assert said["modelqa.outcome"] == "corroborated"
    assert said["modelqa.artifact_sha256"] == suite[f"{prefix}.sha256.gguf-f32"]
