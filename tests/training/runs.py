"""Small real runs on ci-light: its data, its configuration, and a way to run them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WORDS = (
    "lamp",
    "river",
    "stone",
    "cloud",
    "table",
    "garden",
    "horse",
    "letter",
    "window",
    "bridge",
)
COMMAND = "import sys; from pytest_modelqa.cli import main; sys.exit(main(sys.argv[1:]))"


def record(number: int) -> dict[str, str]:
    """A short instruction with its answer; no two numbers give the same one."""
    first, second = WORDS[number % 10], WORDS[(number // 10 + number + 1) % 10]
    return {
        "instruction": f"Write {first} before {second} and say the number {number}.",
        "input": "",
        "output": f"First {first}, then {second}. The number is {number}.",
    }


def write_data(folder: Path, train: int = 48, held_out: int = 8) -> None:
    """Two JSONL files without common records."""
    for name, start, count in (("train", 0, train), ("eval", 1000, held_out)):
        lines = (json.dumps(record(start + i)) + "\n" for i in range(count))
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def configuration(folder: Path, **sections: Mapping[str, Any]) -> Path:
    """Write a configuration of 12 steps (two epochs), changed by `sections`; give its path."""
    values: dict[str, Any] = {
        "model": {"source": "build:ci-light"},
        "output": {"directory": str(folder / "out" / "light")},
        "dataset": {
            "train": [{"file": str(folder / "train.jsonl")}],
            "eval": {"file": str(folder / "eval.jsonl")},
        },
        "training": {
            "epochs": 2,
            "batch_size": 4,
            "gradient_accumulation_steps": 2,
            "learning_rate": 0.005,
            "warmup_steps": 2,
            "logging_steps": 3,
            "save_steps": 4,
            "eval_steps": 6,
            "save_total_limit": 2,
        },
        "lora": {"r": 4, "alpha": 8},
        "data": {"max_length": 128},
        "hardware": {"device": "cpu", "threads": 1},
        "watch": {"loss_after_first_epoch": 20.0},
    }
    for name, changes in sections.items():
        values[name] = {**values.get(name, {}), **changes}
    path = folder / "config.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def modelqa(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, check=False
    )
