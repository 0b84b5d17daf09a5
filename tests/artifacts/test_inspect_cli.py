"""`modelqa inspect`: 0 for a sound model, 10 where an error is found, JSON alone on stdout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from pytest_modelqa.artifacts.codes import CODES
from pytest_modelqa.cli.inspect import app
from pytest_modelqa.core.errors import ExitCode, UsageError
from tests.artifacts.made import METADATA, float_tensors, gguf_bytes

Captured = pytest.CaptureFixture[str]

whole = typer.Typer()
whole.add_typer(app)


@whole.callback()
def _group() -> None:
    """Keep `inspect` a command of its own."""


def run(*argv: str) -> int:
    return int(whole(["inspect", *argv], standalone_mode=False))


def test_a_sound_file_is_recognised_by_its_content(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(gguf_bytes())
    assert run(str(file), "--json", "--stats") == ExitCode.OK
    seen = json.loads(capsys.readouterr().out)
    assert (seen["format"], seen["architecture"], seen["findings"]) == ("gguf", "llama", [])
    assert len(seen["fingerprint"]) == 64
    assert seen["statistics"]["output_norm.weight"]["weights"] == 32


def test_an_error_is_10_with_code_offset_and_meaning(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf_bytes() + bytes(64))
    assert run(str(file), "--json") == ExitCode.MODEL_LOAD
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert found["code"] == "GGUF-TRAILING"
    assert found["offset"] == file.stat().st_size - 64
    assert found["meaning"] == CODES["GGUF-TRAILING"]
    assert run(str(file)) == ExitCode.MODEL_LOAD
    assert "GGUF-TRAILING" in capsys.readouterr().out


def test_a_silent_fallback_is_told_and_fails_nothing(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "m.gguf"
    fallen = ("x.weight", (64, 2), 6, bytes(range(88)))
    file.write_bytes(gguf_bytes(METADATA | {"general.file_type": 15}, [*float_tensors(), fallen]))
    assert run(str(file), "--json") == ExitCode.OK
    seen = json.loads(capsys.readouterr().out)
    assert [(f["code"], f["severity"]) for f in seen["findings"]] == [("MIX-FALLBACK", "warning")]
    assert seen["mix"]["declared"] == "Q4_K_M"


def test_the_codes_are_printed_and_a_missing_name_is_refused(capsys: Captured) -> None:
    assert run("--codes") == ExitCode.OK
    assert capsys.readouterr().out.count("\n") == len(CODES) + 2
    with pytest.raises(UsageError):
        run()


def test_a_folder_of_pickles_is_never_opened(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    assert run(str(tmp_path), "--json") == ExitCode.MODEL_LOAD
    assert json.loads(capsys.readouterr().out)["findings"][0]["code"] == "PICKLE"
