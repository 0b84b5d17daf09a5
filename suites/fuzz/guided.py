"""Coverage-guided runs: atheris (libFuzzer) chooses inputs that reach code no other input reached.

libFuzzer ends its process when it is done, so it runs in one of its own, `guided_child`. Inputs are
bytes. For a reader they are one of its files, from our structure-aware mutations half of the time.
For a target that computes they seed the draw of a small batch.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import ModelQAError, Unavailable
from suites.fuzz.files import read
from suites.fuzz.outcome import Failure, Outcome

TOLD, BROKEN = "told.json", "broken"
"""In the folder of a run: what the process tells, and the input that broke something."""


class GuidedFailed(ModelQAError):
    """The coverage-guided process ended without an answer."""


def fuzz(name: str, iterations: int, seed: int) -> Outcome:
    """Run a target under atheris; the first broken input ends the run.

    Raises Unavailable where atheris is not installed, GuidedFailed where its process fails.
    """
    if importlib.util.find_spec("atheris") is None:
        raise Unavailable(
            "coverage-guided fuzzing needs atheris, which is not installed",
            remedy="python -m pip install atheris",
        )
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        errors = _run([name, str(iterations), str(seed), named], folder)
        found: dict[str, Any] = json.loads((folder / TOLD).read_text())
        failures = tuple(
            Failure(**fault, index=found["iterations"], count=1, files=read(folder / BROKEN))
            for fault in found["faults"]
        )
    return Outcome(
        target=name,
        iterations=found["iterations"],
        seed=seed,
        seconds=time.perf_counter() - start,
        checked=found["checked"],
        notes={"coverage": _coverage(errors)},
        failures=failures,
    )


def _run(arguments: list[str], folder: Path) -> str:
    """Run the process to its end; what libFuzzer wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "suites.fuzz.guided_child", *arguments],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    found = (folder / BROKEN).is_dir()
    if not (folder / TOLD).is_file() or (done.returncode != 0 and not found):
        raise GuidedFailed(f"atheris ended with code {done.returncode}: {done.stderr[-500:]}")
    return done.stderr


def _coverage(text: str) -> int:
    """The last count of features that libFuzzer says were reached."""
    counts = [line.split("ft: ")[1].split()[0] for line in text.splitlines() if "ft: " in line]
    return int(counts[-1]) if counts else 0
