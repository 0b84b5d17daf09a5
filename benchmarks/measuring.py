"""How a measurement is taken: in a process of its own, on two cores, repeats interleaved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).parent.parent
THREADS = 2
LONGEST_S = 1800.0
"""Seconds after which a measurement is given up."""

Measured = dict[str, Any]


class NotMeasured(Exception):
    """A measurement could not be taken, and why; it is reported as such and never as met."""


def use_two_cores() -> None:
    """Keep this process and all that it starts to two cores, whatever the machine has."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def environment() -> dict[str, str]:
    """Of every measured process: two threads, no network, no telemetry, no colours.

    Python keeps what it compiles, as it does by default: else each process compiles torch again.
    """
    threads = str(THREADS)
    wanted = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    quiet = {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
    }
    given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**given, **wanted, **quiet}


def timed(
    command: Sequence[str | Path], *, cwd: Path = ROOT, more: Mapping[str, str] | None = None
) -> tuple[float, str]:
    """Run to the end: seconds from start to end, and stdout. Raises NotMeasured."""
    start = perf_counter()
    try:
        run = subprocess.run(
            [str(c) for c in command],
            cwd=cwd,
            env={**environment(), **(more or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMeasured(str(error).splitlines()[0]) from error
    seconds = perf_counter() - start
    if run.returncode:
        raise NotMeasured(f"exit {run.returncode}: {last_words(run.stderr or run.stdout)}")
    return seconds, run.stdout


def last_words(text: str) -> str:
    """The last line that says something, cut to 200 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines or ["no message"])[-1][:200]


def module(name: str, **options: object) -> Measured:
    """Run `benchmarks.NAME --key value ...`; its last line of stdout is a JSON object."""
    flags = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    seconds, out = timed([sys.executable, "-m", f"benchmarks.{name}", *flags])
    return {**json.loads(out.splitlines()[-1]), "wall_s": seconds}


def interleaved(
    ways: Mapping[str, Callable[[], Measured]], repeats: int
) -> dict[str, list[Measured]]:
    """Every way once, then every way again: a slow minute of the machine hits them all.

    A way that fails keeps no measurement; what it said stands under `failed`.
    """
    taken: dict[str, list[Measured]] = {name: [] for name in ways}
    failed: dict[str, str] = {}
    for turn in range(repeats):
        for name, way in ways.items():
            if name in failed:
                continue
            try:
                taken[name].append(way())
            except NotMeasured as error:
                failed[name], taken[name] = str(error), []
            said = failed.get(name) or f"{taken[name][-1].get('wall_s', 0):.1f} s"
            print(f"  {turn + 1}/{repeats} {name}: {said}", file=sys.stderr, flush=True)
    return {name: rows or [{"failed": failed[name]}] for name, rows in taken.items()}
