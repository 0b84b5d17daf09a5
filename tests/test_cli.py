"""The `modelqa` command: machine output on stdout, errors with codes, no tracebacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_modelqa.cli import main
from pytest_modelqa.core.errors import ExitCode
from tests.conftest import ScriptedPlaybook, scenario

ROOT = Path(__file__).parents[1]
SMOLLM2 = ROOT / "playbooks" / "models" / "smollm2-135m-instruct.yaml"

Captured = pytest.CaptureFixture[str]


def test_validate_says_valid(scripted: ScriptedPlaybook, capsys: Captured) -> None:
    assert main(["validate", str(scripted()), str(SMOLLM2)]) == ExitCode.OK
    assert capsys.readouterr().out.count(": valid") == 2


def test_validate_prints_every_mistake_of_every_file(
    scripted: ScriptedPlaybook, tmp_path: Path, capsys: Captured
) -> None:
    book = scripted()
    book.write_text(
        book.read_text().replace("[gguf]", "[ggfu]").replace("backends: [cpu]", "backends: [cpo]")
    )
    assert main(["validate", str(book), str(tmp_path / "absent.yaml")]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "test_matrix.formats[0]: 'ggfu' is not a format; did you mean 'gguf'?" in said
    assert "test_matrix.backends[0]" in said
    assert "absent.yaml" in said
    assert "Traceback" not in said


def test_schema_is_the_committed_one(capsys: Captured) -> None:
    assert main(["schema"]) == ExitCode.OK
    committed = ROOT / "pytest_modelqa" / "schemas" / "playbook.schema.json"
    assert json.loads(capsys.readouterr().out) == json.loads(committed.read_text())


def test_plan_counts_cells_cases_requests_and_tokens(capsys: Captured) -> None:
    assert main(["plan", str(SMOLLM2), "--json"]) == ExitCode.OK
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["cells"]) == 4
    assert len(plan["cases"]) == len(set(plan["cases"])) > 20
    assert plan["requests"] > 0
    assert plan["prompt_tokens"] > 0
    assert plan["max_new_tokens"] > 0
    assert main(["plan", str(SMOLLM2)]) == ExitCode.OK
    assert f"{len(plan['cases'])} cases" in capsys.readouterr().out


def test_plan_says_what_cannot_run_of_the_model_as_a_whole_alone(capsys: Captured) -> None:
    assert main(["plan", str(ROOT / "playbooks" / "verify" / "smollm2-matrix.yaml")]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert "  model::parity-order" in lines


def test_init_writes_a_playbook_that_validates(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "mine.yaml"
    assert main(["init", "Org/Model-1B", "-o", str(path)]) == ExitCode.OK
    assert main(["validate", str(path)]) == ExitCode.OK
    assert main(["init", "Org/Model-1B", "-o", str(path)]) == ExitCode.USAGE
    assert "exists already" in capsys.readouterr().err


def test_report_merges_the_evidence_of_two_runs(
    scripted: ScriptedPlaybook, tmp_path: Path, capsys: Captured
) -> None:
    """Two machines run half of the cases each; together they are one complete report."""
    book = scripted(scenario("one", "First?"), scenario("two", "Second?"))
    folders = []
    for name, selection in (("a", "gateway"), ("b", "not gateway")):
        folders.append(str(tmp_path / name))
        run = [sys.executable, "-m", "pytest", "--playbook", str(book), "-m", selection]
        done = subprocess.run(
            [*run, "--modelqa-report", folders[-1], "-p", "no:cacheprovider"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
    junit, report = tmp_path / "merged.xml", tmp_path / "merged.json"
    code = main(["report", *folders, "--junit", str(junit), "--json", str(report)])
    assert code == ExitCode.OK
    assert "7 corroborated" in capsys.readouterr().out
    (merged,) = json.loads(report.read_text())["reports"]
    assert len(merged["record"]["results"]) == merged["score"]["planned"] == 7
    assert merged["score"]["decided"] == 0, "a script's answers are no evidence of a model"
    assert junit.read_text().count("<testcase") == 7


def test_report_of_nothing_is_a_usage_error(tmp_path: Path, capsys: Captured) -> None:
    assert main(["report", str(tmp_path)]) == ExitCode.USAGE
    assert "--modelqa-report" in capsys.readouterr().err


def test_negative_a_scenario_under_the_name_of_a_gate_is_no_plan(
    scripted: ScriptedPlaybook, capsys: Captured
) -> None:
    """One of the two would never be judged."""
    book = scripted(scenario("batching", "Which city?", mode="fast"))
    assert main(["plan", str(book)]) == ExitCode.USAGE
    assert "two cases are called gguf-f32-cpu-" in capsys.readouterr().err


def test_negative_a_report_of_evidence_without_a_run_is_no_success(
    tmp_path: Path, capsys: Captured
) -> None:
    """As a full disk leaves it: the file is there, and empty."""
    (tmp_path / "run.evidence.jsonl").write_bytes(b"")
    assert main(["report", str(tmp_path), "--ship", str(tmp_path / "ship")]) == ExitCode.USAGE
    assert "holds no run" in capsys.readouterr().err
    assert not (tmp_path / "ship").exists()


def test_a_report_that_cannot_be_written_is_an_output_error(
    scripted: ScriptedPlaybook, tmp_path: Path, capsys: Captured
) -> None:
    run = [sys.executable, "-m", "pytest", "--playbook", str(scripted()), "-k", "G0"]
    out = tmp_path / "out"
    subprocess.run(
        [*run, "--modelqa-report", str(out)], cwd=tmp_path, check=True, capture_output=True
    )
    assert main(["report", str(out), "--junit", "/proc/no/where.xml"]) == ExitCode.OUTPUT
    assert "cannot write the report" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["nosuchcommand"], ["plan"], ["validate", "--nosuchoption", "x"]])
def test_a_wrong_command_line_is_a_usage_error_and_not_pytests_interrupted(
    argv: list[str], capsys: Captured
) -> None:
    assert main(argv) == ExitCode.USAGE
    assert "modelqa --help" in capsys.readouterr().err


def test_exit_codes_prints_the_documented_table(capsys: Captured) -> None:
    assert main(["exit-codes"]) == ExitCode.OK
    assert capsys.readouterr().out.strip() in (ROOT / "docs" / "exit-codes.md").read_text()


def test_a_model_that_cannot_be_read_ends_a_command_with_its_code(
    tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(100))
    assert main(["inspect", str(tmp_path / "bad.gguf")]) == ExitCode.MODEL_LOAD
    assert "GGUF-VERSION" in capsys.readouterr().out


def test_ctrl_c_ends_any_command_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pytest_modelqa.cli.playbooks.load", interrupted)
    assert main(["plan", str(SMOLLM2)]) == ExitCode.INTERRUPTED


def test_a_defect_of_a_plugin_is_pytests_internal_error(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_runtest_logreport(report): raise RuntimeError('defect')")
    pytester.makepyfile("def test_one(): pass")
    assert pytester.runpytest_subprocess().ret == ExitCode.INTERNAL
