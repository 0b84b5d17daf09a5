"""`modelqa convert`: what it prints, writes and returns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer

import pytest_modelqa
from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.cli import convert
from pytest_modelqa.core.errors import Refused, Unavailable, UsageError
from tests.artifacts.made import gguf_bytes

Run = Callable[..., str]


@pytest.fixture
def modelqa(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.setenv("MODELQA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    app = typer.Typer()
    app.add_typer(convert.app)

    @app.command("other")
    def other() -> None:
        """A second command, so that `convert` keeps its name."""

    def run(*argv: str | Path) -> str:
        app(["convert", str(tmp_path / "m.gguf"), *map(str, argv)], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_stdout_is_the_path_and_the_hash(modelqa: Run, tmp_path: Path) -> None:
    path, digest = modelqa("--to", "gguf", "--quant", "q8_0").splitlines()
    assert Path(path).read_bytes()[:4] == b"GGUF"
    assert digest == f"sha256 {sha256_of(Path(path), tmp_path)}"


def test_json_tells_every_stage_and_whether_it_was_there_already(
    modelqa: Run, tmp_path: Path
) -> None:
    first = json.loads(modelqa("--to", "apr", "--quant", "F16", "--json"))
    again = json.loads(modelqa("--to", "apr", "--quant", "f16", "--json"))
    assert [s["tool"] for s in first["stages"]] == ["dequantise", "pack"]
    assert (first["cached"], again["cached"]) == (False, True)
    assert first["sha256"] == again["sha256"] == sha256_of(Path(first["path"]), tmp_path)
    assert first["bytes"] == Path(first["path"]).stat().st_size
    assert first["source"]["sha256"] == sha256_of(tmp_path / "m.gguf", tmp_path)
    assert all(Path(s["log"]).is_file() for s in first["stages"])


@pytest.mark.parametrize(("form", "name"), [("apr", "x.apr"), ("safetensors", "x")])
def test_output_is_a_copy_with_the_records_of_its_chain_beside_it(
    modelqa: Run, tmp_path: Path, form: str, name: str
) -> None:
    out = tmp_path / "out" / name
    out.parent.mkdir()
    ask = ("--to", form, "--quant", "f32", "--output", out, "--json")
    told = json.loads(modelqa(*ask))
    assert told["path"] == str(out)
    assert sha256_of(out, tmp_path) == told["sha256"]
    file = Path(pytest_modelqa.__file__).parent / "schemas" / "derivation.schema.json"
    lines = (out.parent / f"{name}.derivation.jsonl").read_text().splitlines()
    assert len(lines) == len(told["stages"])
    for line in lines:
        jsonschema.validate(json.loads(line), json.loads(file.read_text()))
    assert json.loads(modelqa(*ask)) == told | {"cached": True, "stages": _cached(told)}
    assert sorted(p.name for p in out.parent.iterdir()) == sorted(
        [name, f"{name}.derivation.jsonl"]
    )


def _cached(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [stage | {"cached": True} for stage in told["stages"]]


def test_an_output_that_is_something_else_is_not_overwritten(modelqa: Run, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_text("precious")
    with pytest.raises(UsageError, match="is something else"):
        modelqa("--to", "gguf", "--quant", "q8_0", "-o", tmp_path / "x.gguf")
    assert (tmp_path / "x.gguf").read_text() == "precious"
    with pytest.raises(UsageError, match="does not exist"):
        modelqa("--to", "gguf", "--quant", "q8_0", "-o", tmp_path / "no" / "x.gguf")


def test_each_kind_of_mistake_has_its_error(modelqa: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format"):
        modelqa("--to", "onnx", "--quant", "f16")
    with pytest.raises(Unavailable, match="safetensors files of q8_0"):
        modelqa("--to", "safetensors", "--quant", "q8_0")
    (tmp_path / "m.gguf").write_bytes(b"GGUF" + bytes(5))
    with pytest.raises(Refused, match="GGUF-"):
        modelqa("--to", "gguf", "--quant", "f16")
