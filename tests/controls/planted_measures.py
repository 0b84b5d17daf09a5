"""Measurements with planted defects, and the site that registers them as a package would."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

Options = Mapping[str, Any]
Rows = list[dict[str, Any]]

GROUP = "modelqa.measurements"


def site(folder: Path, measures: Mapping[str, str]) -> Path:
    """A folder for `sys.path` whose entry points stand before those of the project."""
    info = folder / "planted_measures-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted-measures\nVersion: 1\n")
    points = "".join(f"{name} = {value}\n" for name, value in measures.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{points}")
    return folder


def named(name: str) -> str:
    """The entry point of a function of this module."""
    return f"{__name__}:{name}"


def _gradients(plant: Callable[[], None], artifact: Path, options: Options) -> Rows:
    """The real measurement, after something in this process was damaged."""
    from suites.gradients.measure import measure

    plant()
    return measure(artifact, options)


def _zero_silu() -> None:
    """The right value with a backward of zeros."""
    import torch

    silu = torch.nn.functional.silu
    torch.nn.functional.silu = lambda *a, **k: silu(*a, **k).detach()


def _scaled_matmul() -> None:
    """A linear layer whose gradient by its input is 1 % too large."""
    import torch

    linear = torch.nn.functional.linear

    def scaled(x: Any, *rest: Any) -> Any:
        return linear(x + 0.01 * (x - x.detach()), *rest)

    torch.nn.functional.linear = scaled  # type: ignore[assignment]


healthy = partial(_gradients, lambda: None)
zero_silu = partial(_gradients, _zero_silu)
scaled_linear = partial(_gradients, _scaled_matmul)


def dies(artifact: Path, options: Options) -> Rows:
    """As native code that is wrong."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return []


def hangs(artifact: Path, options: Options) -> Rows:
    """Never comes back."""
    time.sleep(3600)
    return []


def raises(artifact: Path, options: Options) -> Rows:
    """An ordinary exception."""
    raise LookupError("planted")


def nothing(artifact: Path, options: Options) -> Rows:
    """No evidence at all."""
    return []


def junk(artifact: Path, options: Options) -> Rows:
    """What is no row."""
    return [{"name": "x", "outcome": object()}]


def survived(artifact: Path, options: Options) -> Rows:
    """A fault that ended as it should, for every fault that was asked."""
    faults = str(options["faults"]).split(",")
    return [{"name": f, "outcome": "told", "expected": "told"} for f in faults]


def spread(artifact: Path, options: Options) -> Rows:
    """A fault that cost more than its own case."""
    return [{**row, "outcome": "orphan"} for row in survived(artifact, options)]


def _second(block: str, artifact: Path, options: Options) -> Rows:
    """Sound rows, the second of which has the first thing that is planted in such rows."""
    from tests.checks.numeric.rows import HEALTHY, PLANTED

    first, second, *rest = HEALTHY[block]
    planted, _ = PLANTED[block][0]
    return [dict(first), {**second, **planted}, *map(dict, rest)]


bad_gradient = partial(_second, "gradients")
bad_fuzz = partial(_second, "fuzz")
bad_memory = partial(_second, "memory")
bad_training = partial(_second, "training")


def sound_training(artifact: Path, options: Options) -> Rows:
    """A stage of which everything holds."""
    from tests.checks.numeric.rows import HEALTHY

    return [dict(row) for row in HEALTHY["training"]]
