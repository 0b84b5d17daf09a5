"""Runs in bfloat16, and an allocator that keeps what a step frees: as good, and with less work."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from tests.training.runs import configuration, write_data
from training.config import load
from training.loop.allocator import keepable_bytes
from training.loop.run import Trained, train

FAULTS = """
import resource
import numpy as np
from transformers import TrainerState
from training.loop.allocator import keeping_freed_memory
from training.loop.callbacks import Tidy
from training.loop.memory_use import held_bytes

def after_step(limit: int) -> int:
    Tidy(limit).on_step_end(None, TrainerState(), None)
    return resident()

def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        held = [np.ones(2**21) for _ in range(16)]  # of 16 MB, freed together like a graph
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident() -> int:
    return int(open("/proc/self/statm").read().split()[1])

start = resident()
faults()
before = faults()
with keeping_freed_memory():
    faults()
    within = faults()
    held = [np.ones(2**21) for _ in range(16)]
    del held[:-1]  # below one that is in use, no trimming of the top would reach it
    kept, given = after_step(held_bytes("cpu") + 2**20), after_step(held_bytes("cpu") - 2**20)
    del held
print(before, within, faults(), *(pages - start for pages in (kept, given, resident())))
"""


def _trained(folder: Path, precision: str) -> tuple[Trained, set[str]]:
    """A run of 12 steps, and the types that came out of an adapter's matrices."""
    from transformers import TrainerCallback

    seen: set[str] = set()

    class Look(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
            modules = given["model"].named_modules()
            part = next(m for name, m in modules if name.endswith("lora_A.default"))
            seen.add(f"held as {part.weight.dtype}")
            part.register_forward_hook(lambda _m, _i, out: seen.add(f"made as {out.dtype}"))

    folder.mkdir()
    write_data(folder)
    config = load(configuration(folder, hardware={"precision": precision}))
    return train(config, lambda _: None, callbacks=[Look()]), seen


def _losses(run: Trained) -> list[float]:
    lines = (run.folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_a_run_in_bfloat16_learns_what_one_in_float32_does(tmp_path: Path) -> None:
    whole, whole_types = _trained(tmp_path / "fp32", "fp32")
    half, half_types = _trained(tmp_path / "bf16", "bf16")
    assert whole_types == {"held as torch.float32", "made as torch.float32"}
    assert half_types == {"held as torch.float32", "made as torch.bfloat16"}
    assert _losses(half) != _losses(whole)
    assert _losses(half) == pytest.approx(_losses(whole), rel=0.02)
    assert half.statistics["held_out_loss"] == pytest.approx(
        whole.statistics["held_out_loss"], rel=0.02
    )


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc can be told; run: pytest there"
)
def test_freed_memory_is_kept_for_a_while_and_then_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True
    )
    before, within, after, kept, given, left = map(int, done.stdout.split())
    assert within < before / 10
    assert after > within
    assert given < kept / 2
    assert left < kept / 2


@pytest.mark.parametrize(("bound", "given_back"), [(0.001, True), (1000.0, False)])
def test_a_run_gives_back_once_it_nears_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: float, given_back: bool
) -> None:
    calls: list[bool] = []
    monkeypatch.setattr("training.loop.callbacks.give_back", lambda: calls.append(True))
    write_data(tmp_path)
    watch = {"memory_gb": bound, "on_memory": "warn"}
    run = train(load(configuration(tmp_path, watch=watch)), lambda _: None)
    assert len(calls) == (len(_losses(run)) if given_back else 0)


def test_what_is_kept_never_reaches_the_bound_that_stops_a_run() -> None:
    assert keepable_bytes(14) < 14e9
    assert 0 < keepable_bytes(0) < psutil.virtual_memory().total / 2
