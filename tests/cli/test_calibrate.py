"""`modelqa calibrate`: a budget of a real model, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from pytest_modelqa.checks.parity.budget import budget_for
from pytest_modelqa.cli import main
from pytest_modelqa.core.errors import ExitCode

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "pytest_modelqa" / "schemas" / "budget.schema.json"


@pytest.mark.nightly
def test_a_calibration_measures_conversions_and_writes_their_limits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "budget.json"
    asked = ["calibrate", "build:ci-light", "--quant", "f16", "--quant", "q8_0", "-o", str(file)]
    assert main(asked) == ExitCode.OK
    assert capsys.readouterr().out.strip() == str(file)
    made = json.loads(file.read_text())
    jsonschema.validate(made, json.loads(SCHEMA.read_text()))
    for name in ("f16", "q8_0"):
        limits = budget_for(name, made).limits
        measured = made["quantizations"][name]["measured"]
        assert limits.max_kl is not None
        assert limits.max_kl > measured["kl_mean"] > 0
    fine, coarse = (made["quantizations"][q]["measured"]["kl_mean"] for q in ("f16", "q8_0"))
    assert fine < coarse / 10


def test_what_cannot_be_calibrated_is_refused_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(tmp_path / "nothing")]) == ExitCode.USAGE
    assert main(["calibrate", "build:ci-light", "--quant", "q99"]) == ExitCode.USAGE
    where = str(tmp_path / "no" / "budget.json")
    assert main(["calibrate", "build:ci-light", "-o", where]) == ExitCode.USAGE
    book = tmp_path / "book.yaml"
    book.write_text(
        "version: '1.0'\nmodel:\n  id: test/none\n  artifacts:\n"
        "    - {format: gguf, quantization: f16, source: 'file:x.gguf'}\n"
        "test_matrix: {modalities: [run], backends: [cpu], formats: [gguf]}\n"
        "scenarios:\n  - {name: a, prompt: b, oracle: length, min: 1}\n"
    )
    assert main(["calibrate", str(book)]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "there is no such file or folder" in said
    assert "the folder does not exist" in said
    assert "add `model.reference: KEY`" in said
