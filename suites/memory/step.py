"""Peaks of real training steps: `python -m suites.memory.step`, cases and bytes as JSON.

A process of its own, so that nothing else is counted. Its allocator gives every block of 64 KiB or
more back at once (`ENVIRONMENT`), so the resident set follows what torch holds; the kernel keeps
the high-water mark, which is reset before a step (`/proc/self/clear_refs`, Linux). What the process
takes before the model is built, after a step of a tiny one has loaded everything, is taken off.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import ModelQAError, Unavailable
from suites.memory.names import SMALL
from training.memory import Approach, Architecture

ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_STEPS = 2
"""The first makes the optimizer's state, the last is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Bytes above the baseline: the peak of a step, and what stays after it."""

    peak: int
    resting: int


def peaks(cases: Sequence[tuple[Architecture, Approach]], *, seconds: float = 1800.0) -> list[Peak]:
    """The peaks of the cases, measured one after the other in one child process.

    Raises:
        Unavailable: this system does not tell a process its peak.
        ModelQAError: the child failed, or took longer than this; its last words are in the message.
    """
    if not _RESET.exists():
        raise Unavailable(
            "the peak of a process is read from Linux's /proc", remedy="run it on Linux"
        )
    given = json.dumps([[asdict(model), asdict(approach)] for model, approach in cases])
    command = [sys.executable, "-m", "suites.memory.step"]
    try:
        child = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=os.environ | ENVIRONMENT,
            check=True,
        )
        return [Peak(**found) for found in json.loads(child.stdout.splitlines()[-1])]
    except subprocess.TimeoutExpired as error:
        raise ModelQAError(
            f"no training step in {seconds:.0f} s", where=" ".join(command)
        ) from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines()[-1:] or ["nothing on stderr"]
        raise ModelQAError(
            f"the training step ended with {error.returncode}: {said[0]}", where=" ".join(command)
        ) from error


def measured(model: Architecture, approach: Approach) -> Peak:
    """The peak of this process, in one step of training."""
    _train(SMALL, replace(approach, batch=2, tokens=8))
    gc.collect()
    before = _status("VmRSS")
    peak, resting = _train(model, approach)
    return Peak(peak=peak - before, resting=resting - before)


def _train(model: Architecture, approach: Approach) -> tuple[int, int]:
    from suites.memory import real  # noqa: PLC0415 - torch, for the child alone

    made = real.built(model, approach)
    trained = [p for p in made.parameters() if p.requires_grad]
    optimizer = real.OPTIMIZERS[approach.optimizer](trained)
    for _ in range(_STEPS):
        gc.collect()
        _RESET.write_text("5")
        ids = real.ids_for(model, approach)
        made(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return _status("VmHWM"), _status("VmRSS")


def _status(key: str) -> int:
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def _case(given: list[dict[str, Any]]) -> tuple[Architecture, Approach]:
    model, approach = given
    return Architecture(**model), Approach(**approach | {"targets": tuple(approach["targets"])})


def main() -> None:
    """Read the cases, measure them, print the peaks."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    torch.manual_seed(0)
    found = [asdict(measured(*_case(given))) for given in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
