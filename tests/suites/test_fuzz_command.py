"""`modelqa fuzz`, its coverage-guided runs, and the measurement of a playbook's own model."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.errors import Refused, Unavailable, UsageError
from pytest_modelqa.core.measuring import measure as request
from pytest_modelqa.runtime.measuring import measured
from suites.fuzz import (
    command,
    files,
    gguf_files,
    guided,
    measure,
    safetensors_files,
    supervise,
    targets,
)

GUILTY = 1
"""Of the 60 planted files of seed 7."""
ATHERIS = importlib.util.find_spec("atheris") is not None


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command.command)
    return CliRunner().invoke(app, [*arguments], standalone_mode=False)


def test_a_page_tells_iterations_seconds_and_invariants(tmp_path: Path) -> None:
    done = run("--target", "parameter_calc", "--iterations", "3000", "--seed", "1",
               "--corpus", str(tmp_path))  # fmt: skip
    assert done.return_value == 0, done.output
    assert "parameter_calc: 3,000 iterations in" in done.output
    assert "14 invariants checked" in done.output
    assert "  projections                               3,000" in done.output
    assert not list(tmp_path.iterdir())


def test_readers_share_the_files_of_a_run(tmp_path: Path) -> None:
    done = run("--target", "readers", "--iterations", "40", "--seed", "1", "--json",
               "--corpus", str(tmp_path))  # fmt: skip
    outcomes = json.loads(done.stdout)["outcomes"]
    assert done.return_value == 0, [o["failures"] for o in outcomes]
    assert {o["target"]: o["iterations"] for o in outcomes} == {
        "gguf": 10, "safetensors": 10, "apr": 8, "lockfile": 6, "template": 4, "playbook": 2,
    }  # fmt: skip
    assert all(o["seed"] == 1 and not o["violations"] for o in outcomes)


def test_negative_control_what_broke_is_kept_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "runs", lambda _name, count: [("planted", count)])
    monkeypatch.setattr(command, "fuzz", lambda _name, n, seed: _planted(n, seed))
    done = run("--target", "gguf", "--iterations", "60", "--seed", "7", "--corpus", str(tmp_path))
    assert done.return_value == 1
    assert "BROKEN raised (KeyError in plants.py:_crash)" in done.output
    (kept,) = (tmp_path / "planted").iterdir()
    assert files.read(kept)["input"][0] == 7


def _planted(iterations: int, seed: int) -> object:
    return supervise.fuzz("suites.fuzz.plants:CRASH", iterations, seed)


def test_an_unknown_target_is_told_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match="no target is called 'gguff'") as caught:
        targets.runs("gguff", 1)
    assert "parameter_calc" in caught.value.remedy


def test_negative_control_a_target_without_its_library_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(targets.NUMERIC, "tensor_ops", "no_such_library_here")
    with pytest.raises(Unavailable, match="no_such_library_here"):
        targets.fuzz("tensor_ops", 1, 1)


def test_without_atheris_coverage_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(Unavailable, match="needs atheris") as caught:
        guided.fuzz("gguf", 1, 1)
    assert caught.value.remedy == "python -m pip install atheris"


def test_coverage_guides_where_atheris_is_installed() -> None:
    if not ATHERIS:
        with pytest.raises(Unavailable):
            guided.fuzz("lockfile", 100, 1)
        return
    outcome = guided.fuzz("lockfile", 100, 1)
    assert outcome.passed
    assert outcome.iterations == 100
    assert outcome.notes["coverage"] > 100


def test_negative_control_coverage_finds_a_planted_crash() -> None:
    if ATHERIS:
        outcome = guided.fuzz("suites.fuzz.plants:CRASH", 5000, 1)
        assert [f.kind for f in outcome.failures] == ["raised"]
        assert outcome.failures[0].files["input"][:1] == b"\x07"


def gguf_model(folder: Path) -> Path:
    files.write(gguf_files.seeds()[0], folder)
    return folder / gguf_files.NAME


def folder_model(folder: Path) -> Path:
    files.write(safetensors_files.seeds()[0], folder)
    return folder


@pytest.mark.parametrize("model", [gguf_model, folder_model])
def test_a_models_own_header_and_sizes_are_measured(model: object, tmp_path: Path) -> None:
    artifact = gguf_model(tmp_path) if model is gguf_model else folder_model(tmp_path)
    rows = measure.measure(
        artifact,
        {"targets": "header,parameters", "iterations": 60, "seed": 3, "max_seconds": 120.0},
    )
    assert [row["target"] for row in rows] == ["header", "parameters"]
    for row in rows:
        assert row["iterations"] == 60
        assert (row["violations"], row["crashes"], row["example"]) == (0, 0, "")
        assert isinstance(row["checked"], int)
        assert row["checked"] > 60


def test_negative_control_a_crash_is_counted_with_its_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(measure.TARGETS, "header", "suites.fuzz.plants:of_model")
    (row,) = measure.measure(gguf_model(tmp_path), {"iterations": 60, "seed": 7})
    assert row["crashes"] == GUILTY
    assert row["violations"] == 0
    assert "KeyError in plants.py:_crash" in str(row["example"])


def test_what_a_model_lacks_is_told(tmp_path: Path) -> None:
    artifact = gguf_model(tmp_path)
    with pytest.raises(UsageError, match="no target nothing"):
        measure.measure(artifact, {"targets": "nothing"})
    with pytest.raises(UsageError, match="no chat template"):
        measure.measure(artifact, {"targets": "template"})
    artifact.write_bytes(b"GGUF")
    with pytest.raises(Refused, match="own header is not sound"):
        measure.measure(artifact, {"targets": "header"})


def of_family(family: str | None, folder: Path) -> Path:
    """A folder as `folder_model` makes it, with another `model_type`."""
    artifact = folder_model(folder)
    config = artifact / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": family}))
    return artifact


@pytest.mark.parametrize("family", ["phi3", "gpt2", None])
def test_negative_control_sizes_of_a_family_that_is_not_planned_are_unavailable(
    family: str | None, tmp_path: Path
) -> None:
    artifact = of_family(family, tmp_path)
    options: dict[str, str | int | float | bool] = {"targets": "parameters", "iterations": 20}
    with pytest.raises(UsageError, match="the model itself cannot be planned") as caught:
        measure.measure(artifact, options)
    assert "leave `parameters` out" in caught.value.remedy
    answer = measured(artifact, request("fuzz", options))
    assert isinstance(answer, Failure)
    assert answer.cause == "unavailable"
    assert (family or "model_type") in answer.reason


@pytest.mark.parametrize("model", [gguf_model, folder_model])
def test_mutated_sizes_of_a_planned_model_are_counted(model: object, tmp_path: Path) -> None:
    artifact = gguf_model(tmp_path) if model is gguf_model else folder_model(tmp_path)
    outcome = supervise.fuzz(f"suites.fuzz.own:parameters:{artifact}", 60, 3)
    assert outcome.passed
    assert outcome.checked["counted_exactly"] == outcome.notes["planned"] > 5
    assert outcome.notes["refused"] > 5


def test_negative_control_a_model_whose_own_template_is_refused_is_not_fuzzed(
    tmp_path: Path,
) -> None:
    artifact = folder_model(tmp_path)
    (artifact / "chat_template.jinja").write_text("{{ raise_exception('never') }}")
    with pytest.raises(supervise.Unfit, match=r"sound input 0 is refused: .*never"):
        measure.measure(artifact, {"targets": "template", "iterations": 5})


@pytest.mark.parametrize("text", [None, "{", "[1]", '"x"'])
def test_negative_control_a_configuration_that_cannot_be_read_is_refused(
    text: str | None, tmp_path: Path
) -> None:
    config = folder_model(tmp_path) / "config.json"
    config.unlink() if text is None else config.write_text(text)
    with pytest.raises(Refused, match=r"own config.json is no JSON object"):
        measure.measure(tmp_path, {"targets": "parameters", "iterations": 5})
