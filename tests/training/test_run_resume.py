"""A run that was killed goes on as if it had never stopped; one that is another does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.artifacts.hashing import measured
from pytest_modelqa.core.errors import OutputError, UsageError
from tests.training.runs import COMMAND, configuration, modelqa, write_data
from training.config import load
from training.loop import output
from training.loop.run import train

PATIENCE_S = 300.0
"""Longest wait for a checkpoint on a busy machine; a quiet one has it after seconds."""


def kill_after_first_checkpoint(path: Path) -> Path:
    """Run in a process of its own, and kill -9 it after a checkpoint; the folder it leaves."""
    runs = path.parent / "out"
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "train", "run", str(path)], stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and process.poll() is None:
            if list(runs.glob(".*.part/checkpoints/checkpoint-4")):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    (part,) = runs.iterdir()
    assert part.name.endswith(".part")
    return part


@pytest.mark.nightly
def test_after_kill_9_the_result_is_that_of_an_undisturbed_run(
    finished: Path, tmp_path: Path
) -> None:
    write_data(tmp_path)
    path = configuration(tmp_path)
    part = kill_after_first_checkpoint(path)
    assert output.checkpoints(part)
    done = modelqa("train", "run", str(path), "--resume")
    assert done.returncode == 0, done.stderr
    assert "going on in" in done.stderr
    folder = output.final_of(part)
    assert not part.exists()
    weights = "adapter_model.safetensors"
    assert measured(folder / weights) == measured(finished / weights)
    assert curve(folder) == curve(finished)
    told = json.loads((folder / "training_stats.json").read_text())
    undisturbed = json.loads((finished / "training_stats.json").read_text())
    for key in ("final_loss", "train_loss", "held_out_loss", "tokens", "samples_seen", "steps"):
        assert told[key] == undisturbed[key], key


def curve(folder: Path) -> list[tuple[Any, ...]]:
    """What must be the same in both runs, bit by bit."""
    steps = [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
    return [(s["step"], s["loss"], s["gradient_norm"], s["learning_rate"]) for s in steps]


def interrupted(tmp_path: Path, **sections: Any) -> Path:
    """The configuration of a run that was interrupted from inside after its first checkpoint."""
    write_data(tmp_path)
    path = configuration(tmp_path, **sections)
    with pytest.raises(KeyboardInterrupt):
        train(load(path), lambda _: None, callbacks=[interruption()])
    return path


def interruption() -> Any:
    from transformers import TrainerCallback

    class Interrupted(TrainerCallback):
        def on_save(self, *_given: Any, **_more: Any) -> None:
            raise KeyboardInterrupt

    return Interrupted()


def test_negative_another_configuration_does_not_go_on(tmp_path: Path) -> None:
    interrupted(tmp_path)
    changed = configuration(tmp_path, lora={"alpha": 16})
    with pytest.raises(UsageError, match=r"config\.lora\.alpha was 8\.0, is 16\.0"):
        train(load(changed), lambda _: None, resume=True)


def test_negative_other_data_does_not_go_on(tmp_path: Path) -> None:
    path = interrupted(tmp_path)
    write_data(tmp_path, train=44)
    with pytest.raises(UsageError, match="the data is not that of the interrupted run"):
        train(load(path), lambda _: None, resume=True)


def test_negative_there_is_nothing_to_resume(tmp_path: Path) -> None:
    write_data(tmp_path)
    with pytest.raises(UsageError, match="no interrupted run") as raised:
        train(load(configuration(tmp_path)), lambda _: None, resume=True)
    assert "without --resume" in raised.value.remedy


def test_negative_a_run_that_is_at_work_is_left_alone(tmp_path: Path) -> None:
    from training.loop.resume import alone

    path = interrupted(tmp_path)
    (part,) = (tmp_path / "out").iterdir()
    with alone(part), pytest.raises(UsageError, match="another process is training in it"):
        train(load(path), lambda _: None, resume=True)


def test_a_run_killed_before_its_first_checkpoint_begins_again(tmp_path: Path) -> None:
    path = interrupted(tmp_path, training={"max_steps": 3, "save_steps": 2, "warmup_steps": 1})
    (part,) = (tmp_path / "out").iterdir()
    for checkpoint in output.checkpoints(part):
        checkpoint.rename(tmp_path / checkpoint.name)
    said: list[str] = []
    made = train(load(path), said.append, resume=True)
    assert made.statistics["steps"] == 3
    assert "no checkpoint" in said[0]


def test_a_half_written_checkpoint_is_never_taken(tmp_path: Path) -> None:
    """What the library was writing when it died lies under another name."""
    path = interrupted(tmp_path, training={"max_steps": 3, "save_steps": 2, "warmup_steps": 1})
    (part,) = (tmp_path / "out").iterdir()
    torn = part / output.SAVING / "checkpoint-3"
    torn.mkdir(parents=True)
    (torn / "trainer_state.json").write_text("{")
    made = train(load(path), lambda _: None, resume=True)
    assert made.statistics["steps"] == 3
    assert not (made.folder / output.SAVING).exists()


FULL = """\
import resource, signal, sys
from pytest_modelqa.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
sys.exit(main(sys.argv[1:]))
"""
"""No file may grow beyond 400 kB: adapters fit, their optimizer's state does not."""


@pytest.mark.nightly
def test_negative_a_full_disk_is_told_and_leaves_nothing_under_a_final_name(
    tmp_path: Path,
) -> None:
    write_data(tmp_path)
    path = configuration(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", FULL, "train", "run", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == OutputError.exit_code, done.stderr
    assert "cannot be written" in done.stderr
    assert "--resume" in done.stderr
    assert "Traceback" not in done.stderr
    (part,) = (tmp_path / "out").iterdir()
    assert part.name.startswith(".")
    assert not output.checkpoints(part)
    whole = modelqa("train", "run", str(path), "--resume")
    assert whole.returncode == 0, whole.stderr
