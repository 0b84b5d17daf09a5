"""`modelqa train verify`: a sound run holds every check, each fault is found by its own name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pytest_modelqa.core.errors import ExitCode, Refused
from training.findings import all_hold, insist, table
from training.loop.output import write_manifest
from training.loop.verify import verify

CHECKS = [
    "files", "manifest", "statistics", "loss-finite", "loss-smooth", "loss-falls",
    "learning-rate", "adapter-settings", "adapter-finite", "adapter-moved", "adapter-size",
    "adapter-effect",
]  # fmt: skip


def broken(folder: Path) -> dict[str, str]:
    found = verify(folder, lambda _: None)
    return {f.check: f.reason for f in found if not f.passed}


def changed(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON file, and let the manifest know nothing of it: the run wrote it so."""
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    write_manifest(path.parent)


def changed_weights(folder: Path, change: Callable[[str, Any], Any]) -> None:
    path = folder / "adapter_model.safetensors"
    save_file({name: change(name, w) for name, w in load_file(path).items()}, path)
    write_manifest(folder)


def test_a_sound_run_holds_every_check(finished: Path) -> None:
    found = verify(finished, lambda _: None)
    assert [f.check for f in found] == CHECKS
    assert all_hold(found), table(found)


def test_negative_an_adapter_that_never_trained(copied: Path) -> None:
    """As peft makes it: A random, B zero; and the run says that it began so."""
    from training.loop.judge import hash_of

    changed_weights(copied, lambda name, w: np.zeros_like(w) if "lora_B" in name else w)
    weights = load_file(copied / "adapter_model.safetensors")
    initial = {name: hash_of(w) for name, w in weights.items()}
    changed(copied / "run.json", lambda v: v.update(initial=initial))
    found = broken(copied)
    assert found.keys() == {"adapter-moved", "adapter-effect"}
    assert "56 of 56 never trained" in found["adapter-moved"]


def test_negative_one_matrix_that_never_trained_is_named(copied: Path) -> None:
    from training.loop.judge import hash_of

    weights = load_file(copied / "adapter_model.safetensors")
    name = next(n for n in weights if "layers.2.mlp.up_proj.lora_B" in n)
    changed(copied / "run.json", lambda v: v["initial"].update({name: hash_of(weights[name])}))
    assert broken(copied) == {"adapter-moved": f"1 of 56 never trained; first {name}"}


def test_negative_nan_in_the_weights(copied: Path) -> None:
    def spoil(name: str, w: Any) -> Any:
        if "layers.1.self_attn.v_proj.lora_A" in name:
            w[0, 0] = np.nan
        return w

    changed_weights(copied, spoil)
    found = broken(copied)
    assert "layers.1.self_attn.v_proj has NaN or Inf in A" in found["adapter-finite"]
    assert "adapter-effect" in found


def test_negative_wrong_alpha_in_the_settings(copied: Path) -> None:
    changed(copied / "adapter_config.json", lambda v: v.update(lora_alpha=64.0))
    assert list(broken(copied)) == ["adapter-settings"]


def test_negative_a_module_is_missing(copied: Path) -> None:
    path = copied / "adapter_model.safetensors"
    kept = {n: w for n, w in load_file(path).items() if "layers.3.mlp.gate_proj" not in n}
    save_file(kept, path)
    write_manifest(copied)
    assert "adapter-size" in broken(copied)


def test_negative_another_base(copied: Path) -> None:
    changed(copied / "run.json", lambda v: v["base"].update(sha256="0" * 64))
    found = broken(copied)
    assert "different models" in found["adapter-loads"]


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("final_loss", float("nan"), "final_loss is nan"),
        ("train_runtime", 0, "train_runtime is 0"),
        ("timestamp", "", "timestamp"),
        ("total_samples", 47, "total_samples is 47, the run's records say 48"),
        ("steps", 11, "steps is 11"),
        ("epochs", 1.0, "1.00 of 2.0 epochs"),
        ("trainable_parameters", 4_000_000, "no low-rank adapter"),
        ("config_sha256", "f" * 64, "config_sha256"),
    ],
)
def test_negative_statistics_that_cannot_be(
    copied: Path, key: str, value: object, word: str
) -> None:
    changed(copied / "training_stats.json", lambda v: v.update({key: value}))
    assert word in broken(copied)["statistics"]


def test_negative_another_learning_rate_than_configured(copied: Path) -> None:
    lines = (copied / "steps.jsonl").read_text().splitlines()
    steps = [json.loads(line) for line in lines]
    steps[4]["learning_rate"] *= 1.01
    (copied / "steps.jsonl").write_text("".join(json.dumps(s) + "\n" for s in steps))
    write_manifest(copied)
    assert list(broken(copied)) == ["learning-rate"]


def test_negative_a_file_that_is_not_what_the_run_wrote(copied: Path) -> None:
    with (copied / "tokenizer.json").open("a") as file:
        file.write(" ")
    assert broken(copied) == {"manifest": "tokenizer.json is not what the run wrote"}


@pytest.mark.parametrize("name", ["tokenizer.json", "training_stats.json", "steps.jsonl"])
def test_negative_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    assert name in broken(copied)["files"]


def test_negative_an_adapter_that_is_truncated(copied: Path) -> None:
    path = copied / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:100_000])
    write_manifest(copied)
    assert "ST-TRUNCATED" in broken(copied)["adapter-loads"]


def test_negative_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is no run"):
        verify(tmp_path, lambda _: None)


def test_the_command_tells_and_fails(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pytest_modelqa.cli import main

    assert main(["train", "verify", str(copied), "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["passed"] is True
    (copied / "tokenizer.json").unlink()
    assert main(["train", "verify", str(copied)]) == ExitCode.FAILED
    assert "FAILED  files" in capsys.readouterr().out


def test_negative_no_findings_are_no_pass() -> None:
    assert not all_hold([])
    with pytest.raises(Refused, match="nothing was checked"):
        insist([], "here", "look")
