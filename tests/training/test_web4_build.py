"""The agent's builder on ci-light: trained, merged, damaged, and finished after it was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.core.errors import ExitCode
from training.web4_agent.__main__ import main
from training.web4_agent.damage import DAMAGES

SETS = {"process_framework": 20, "tool_awareness": 40, "eval": 4}


@pytest.fixture
def recipe(tmp_path: Path, built_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of twelve steps, and a cache that has nothing but ci-light."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "built").symlink_to(built_models)
    monkeypatch.setenv("MODELQA_CACHE", str(tmp_path / "cache"))
    values = {
        "model": {"source": "build:ci-light"},
        "output": {"directory": str(tmp_path / "unused")},
        "dataset": {
            "synthetic": {"sets": [{"set": k, "records": n} for k, n in SETS.items()], "seed": 0}
        },
        "training": {
            "max_steps": 12, "batch_size": 1, "gradient_accumulation_steps": 1, "eval_steps": 0,
            "learning_rate": 0.005, "warmup_steps": 1, "save_steps": 1, "logging_steps": 1,
        },
        "lora": {"r": 2, "alpha": 4},
        "data": {"max_length": 192},
        "hardware": {"device": "cpu", "threads": 1},
        "watch": {"loss_after_first_epoch": 20.0},
    }  # fmt: skip
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(values))
    return path


def told(folder: Path) -> dict[str, object]:
    values: dict[str, object] = json.loads((folder / "build.json").read_text())
    return values


@pytest.mark.nightly
def test_an_agent_is_built_and_a_damage_starts_from_it(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent, spoilt = tmp_path / "agent", tmp_path / "spoilt"
    assert main([str(agent), "--recipe", str(recipe)]) == ExitCode.OK
    made = told(agent)
    assert len(made["losses"]) == 12  # type: ignore[arg-type]
    assert made["leakage"] == {"tested": 4, "leaked": 0}
    assert (agent / "model.safetensors").is_file()
    assert (agent / "merge.json").is_file()

    adapter = tmp_path / "adapter"
    assert main([str(adapter), "adapter", "--recipe", str(recipe)]) == ExitCode.OK
    seen = inspect(adapter, "adapter")
    assert (seen.findings, seen.tensors > 0) == ((), True)
    assert not (adapter / "model.safetensors").exists()

    base = f"file:{agent}"
    arguments = ["without_links", "--recipe", str(recipe), "--base", base, "--steps", "3"]
    assert main([str(spoilt), *arguments]) == ExitCode.OK
    assert len(told(spoilt)["losses"]) == 3  # type: ignore[arg-type]
    assert told(spoilt)["adapter_sha256"] != made["adapter_sha256"]
    assert json.loads((spoilt / "merge.json").read_text())["base"]["source"] == base

    again = tmp_path / "again"
    assert main([str(again), "--recipe", str(recipe)]) == ExitCode.OK
    assert (again / "model.safetensors").samefile(agent / "model.safetensors")

    (run,) = (tmp_path / "cache" / "building").glob("web4-agent-*/run")
    elsewhere = run.rename(tmp_path / "elsewhere")
    shutil.rmtree(run.parent)
    taken = [str(tmp_path / "taken"), "--recipe", str(recipe), "--run", str(elsewhere)]
    assert main(taken) == ExitCode.OK
    assert told(tmp_path / "taken") == made
    other = [str(tmp_path / "other"), "--recipe", str(recipe), "--run", str(elsewhere)]
    assert main([*other, "--steps", "4"]) == ExitCode.MODEL_LOAD
    assert "was made of another training" in capsys.readouterr().err


@pytest.mark.nightly
def test_a_build_that_was_killed_goes_on_at_its_checkpoint(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "training.web4_agent", str(tmp_path / "a")]
    with subprocess.Popen(
        [*command, "--recipe", str(recipe)],
        stderr=subprocess.DEVNULL,
        env=os.environ.copy(),
        cwd=Path(__file__).parents[2],
    ) as process:
        while process.poll() is None:
            time.sleep(0.05)
            if list(tmp_path.glob("cache/building/*/.run.part/checkpoints/checkpoint-[23]")):
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert main([str(tmp_path / "b"), "--recipe", str(recipe)]) == ExitCode.OK
    assert "after checkpoint-" in capsys.readouterr().err
    assert len(told(tmp_path / "b")["losses"]) == 12  # type: ignore[arg-type]


def test_negative_a_recipe_with_mistakes_says_where_and_makes_nothing(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(recipe.read_text().replace('"r": 2', '"r": 0'))
    assert main([str(tmp_path / "a"), "--recipe", str(recipe)]) == ExitCode.USAGE
    assert "lora.r" in capsys.readouterr().err
    assert not list((tmp_path / "a").iterdir())


def test_negative_a_damage_of_a_recipe_that_names_files_is_refused(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = json.loads(recipe.read_text())
    values["dataset"] = {"train": [{"file": "a.jsonl"}]}
    recipe.write_text(json.dumps(values))
    arguments = [str(tmp_path / "a"), next(iter(DAMAGES)), "--recipe", str(recipe)]
    assert main(arguments) == ExitCode.USAGE
    assert "records of the generator" in capsys.readouterr().err
