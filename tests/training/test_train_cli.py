"""`modelqa train synth` and `train check`: what they print, and the codes that they end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pytest_modelqa.core.errors import ExitCode, ModelQAError
from training.cli import app
from training.config.load import SHIPPED
from training.config.schema import json_schema
from training.records import read


def ask(*arguments: str | Path) -> Result:
    """Run a sub-command; errors of ours are left in `exception`."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ninety records in `data`, and a configuration of them."""
    monkeypatch.chdir(tmp_path)
    assert ask("synth", "--size", "90", "--out", "data").exit_code == 0
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    sets = [
        {"file": f"data/{part['file']}", "samples": part["records"]}
        for part in manifest["sets"].values()
    ]
    values = {
        "model": {"source": "build:ci-light"},
        "output": {"directory": "out"},
        "dataset": {"train": sets[:-1], "eval": sets[-1]},
        "data": {"max_length": 1024},
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    return path


def checked(path: Path, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask("check", path, "--json", *options).stdout)
    return found


def test_synth_tells_of_every_set_how_large_and_how_varied_it_is(tmp_path: Path) -> None:
    done = ask("synth", "--size", "90", "--seed", "2", "--out", tmp_path)
    assert done.exit_code == 0
    assert "90 synthetic records" in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()[1:-1]] == [
        f"{name}.jsonl"
        for name in (
            "style_core", "domain_patterns", "process_framework", "domain_representatives",
            "style_refactor", "guardrails", "tool_awareness", "reporting_protocol", "eval",
        )
    ]  # fmt: skip
    again = json.loads(
        ask("synth", "--size", "90", "--seed", "2", "--out", tmp_path, "--json").stdout
    )
    assert again["seed"] == 2


def test_check_of_sound_data_counts_tokens_and_finds_no_leak(made: Path) -> None:
    done = ask("check", made)
    assert done.exit_code == 0, done.output
    assert "0 of 5 held-out records are trained on" in done.stdout
    found = checked(made)
    assert sum(found["records"].values()) == 90
    assert found["leaks"] == []
    assert found["leakage_checked"] is True
    tokens = {part["name"]: part for part in found["tokens"]}
    assert tokens.keys() == found["records"].keys()
    assert all(part["response"] > part["records"] for part in tokens.values())
    assert found["padding_share"] == 0  # batches of one


def test_negative_a_leaked_record_ends_with_code_1_and_is_named(made: Path) -> None:
    folder = made.parent / "data"
    leaked = read(folder / "eval.jsonl").records[2]
    target = folder / "guardrails.jsonl"
    lines = target.read_text().splitlines()
    lines[-1] = leaked.line()
    target.write_text("\n".join(lines) + "\n")
    done = ask("check", made, "--no-tokens")
    assert done.exit_code == ExitCode.FAILED
    assert f"data/eval.jsonl:3 is in data/guardrails.jsonl:{len(lines)}: same record" in done.stdout
    (leak,) = checked(made, "--no-tokens")["leaks"]
    assert leak["kind"] == "same record"


def test_negative_a_malformed_line_is_named_by_file_and_line(made: Path) -> None:
    target = made.parent / "data" / "style_core.jsonl"
    lines = target.read_text().splitlines()
    lines[1] = lines[1][:40]
    target.write_text("\n".join(lines) + "\n")
    done = ask("check", made, "--no-tokens")
    assert isinstance(done.exception, ModelQAError)
    assert str(done.exception).startswith("data/style_core.jsonl:2:")
    assert done.exception.exit_code == ExitCode.USAGE


def test_negative_balanced_without_its_data_lists_all_ten_missing_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ask("check", SHIPPED / "balanced.json")
    assert isinstance(done.exception, ModelQAError)
    assert str(done.exception).count("does not exist") == 10


def test_without_a_hold_out_leakage_is_said_to_be_unchecked(made: Path) -> None:
    values = json.loads(made.read_text())
    del values["dataset"]["eval"]
    made.write_text(json.dumps(values))
    done = ask("check", made, "--no-tokens")
    assert "no hold-out: leakage was not checked" in done.stdout
    assert checked(made, "--no-tokens")["leakage_checked"] is False


def test_schema_prints_what_editors_complete_from() -> None:
    assert json.loads(ask("schema").stdout) == json_schema()
