"""A run that ends in a ship decision: its exit code, its files, what the console and JUnit say."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_modelqa.cli import main
from pytest_modelqa.core.errors import ExitCode
from tests.conftest import ScriptedPlaybook, scenario
from tests.plugin.conftest import Run

GATES = """\
ship_gates:
  min_overall: 0.5
  harnesses:
    paris: {{kind: ship, threshold: {threshold}, prompts: prompts.jsonl, examples: examples.jsonl,
            oracle: contains, expected: Paris}}
canaries:
  tasks:
    - {{name: capital, group: patterns, prompt: "Which city?", oracle: contains, expected: Paris}}
"""


@pytest.fixture
def gated(scripted: ScriptedPlaybook, tmp_path: Path) -> ScriptedPlaybook:
    """A playbook whose script answers as `rules` say, with one harness and one canary."""
    asked = [{"id": f"p{i}", "prompt": f"Which city is number {i}?"} for i in range(4)]
    judged = [{"answer": "It is Paris.", "passes": True, "why": "it is"}]
    judged.append({"answer": "It is Rome.", "passes": False, "why": "it is not"})
    for name, lines in (("prompts", asked), ("examples", judged)):
        text = "\n".join(json.dumps(line) for line in lines)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")

    def write(threshold: float = 0.75, **more: object) -> Path:
        return scripted(extra=GATES.format(threshold=threshold), **more)

    return write


def final(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "eval_report_final.json").read_text())
    return found


def test_negative_a_blocked_run_fails_though_every_item_passed(
    qualify: Run, gated: ScriptedPlaybook, tmp_path: Path
) -> None:
    out, own = tmp_path / "out", tmp_path / "own.xml"
    result = qualify(gated(), "--modelqa-report", str(out), "--junitxml", str(own))
    result.assert_outcomes(passed=8)
    assert result.ret == ExitCode.BLOCKED
    result.stdout.fnmatch_lines(["*Decision: BLOCKED, overall 100 %*", "*A script answers for*"])
    found = final(out)
    assert found["ship_gates_passed"] is True
    assert found["cleared_for_deployment"] is False
    names = {p.name for p in out.glob("*.json")} | {p.name for p in out.glob("*.md")}
    assert names >= {"eval_paris.json", "canary_report.json", "incident.md", "report.json"}
    (report,) = json.loads((out / "report.json").read_text())["reports"]
    assert report["decision"]["cleared"] is False
    text = own.read_text()
    assert 'name="modelqa.ship.state" value="cleared"' in text
    root = ElementTree.fromstring(text)
    said = {p.get("name"): p.get("value") for p in root.iter("property")}
    assert [v for k, v in said.items() if str(k).endswith("ship_decision")] == ["BLOCKED"]


def test_a_falsified_gate_is_a_failed_run(
    qualify: Run, gated: ScriptedPlaybook, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rules = [{"match": "number 3", "text": "Surely it is Rome."}]
    result = qualify(gated(0.76, rules=rules), "--modelqa-report", str(out))
    result.assert_outcomes(passed=7, failed=1)
    assert result.ret == ExitCode.FAILED
    assert "paris is blocked" in str(final(out)["reasons"])
    assert "Surely it is Rome." in (out / "incident.md").read_text()


def test_negative_a_selection_that_leaves_a_harness_out_is_blocked(
    qualify: Run, gated: ScriptedPlaybook, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = qualify(gated(), "-k", "canary", "--modelqa-report", str(out))
    assert result.ret == ExitCode.BLOCKED
    assert "paris measured nothing: not run" in str(final(out)["reasons"])


def test_a_crash_of_one_answer_leaves_the_rest_and_blocks(
    qualify: Run, gated: ScriptedPlaybook, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rules = [{"match": "number 3", "do": "segfault"}]
    result = qualify(gated(rules=rules), "--modelqa-report", str(out))
    assert result.ret == ExitCode.FAILED
    found = json.loads((out / "eval_paris.json").read_text())
    assert (found["passed"], found["total_tests"]) == (3, 4)
    assert found["ship_gate_passed"] is False
    assert found["outcomes"] == {"corroborated": 3, "crashed": 1}
    assert "paris crashed" in str(final(out)["reasons"])


def test_a_resumed_run_decides_the_same_without_the_engine(
    qualify: Run, gated: ScriptedPlaybook, tmp_path: Path
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    book = gated()
    qualify(book, "--modelqa-report", str(first))
    result = qualify(book, "--modelqa-report", str(again), "--modelqa-resume", str(first))
    assert result.ret == ExitCode.BLOCKED
    one, two = final(first), final(again)
    assert (one["results"], one["reasons"]) == (two["results"], two["reasons"])
    speed = two["speed"]
    assert isinstance(speed, dict)
    assert speed["engine_seconds"] == 0
    assert speed["answers_from_earlier_evidence"] > 0


def test_a_report_of_evidence_decides_too(
    qualify: Run, gated: ScriptedPlaybook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, folder = tmp_path / "out", tmp_path / "ship"
    qualify(gated(), "--modelqa-report", str(out))
    capsys.readouterr()
    assert main(["report", str(out), "--ship", str(folder)]) == ExitCode.BLOCKED
    assert "Decision: BLOCKED" in capsys.readouterr().out
    assert final(folder)["results"] == final(out)["results"]


def test_a_playbook_without_gates_ends_as_ever(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert qualify(scripted(), "--modelqa-report", str(out)).ret == ExitCode.OK
    assert not list(out.glob("eval_*"))


def test_negative_ship_gates_of_which_nothing_was_selected_are_not_cleared(
    qualify: Run, gated: ScriptedPlaybook, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    book = gated()
    ship = book.with_name("ship.yaml")
    book.rename(ship)
    other = scripted(scenario("alone", "Which city?"))
    out = tmp_path / "out"
    folder = ("--modelqa-report", str(out))
    result = qualify(other, "--playbook", str(ship), "-k", "alone", *folder)
    result.assert_outcomes(passed=1)
    assert result.ret == ExitCode.BLOCKED
    result.stdout.fnmatch_lines(["ship.yaml: BLOCKED, for nothing of its ship gates was selected."])


def test_negative_a_report_of_a_run_that_decides_nothing_is_no_clearance(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    qualify(scripted(), "--modelqa-report", str(out))
    assert main(["report", str(out), "--ship", str(tmp_path / "ship")]) == ExitCode.USAGE
    assert main(["report", str(out)]) == ExitCode.OK
