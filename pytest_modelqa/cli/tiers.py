"""`modelqa tiers`: how long the tests of each tier take, as a user starts them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pytest_modelqa.core.errors import ExitCode, UsageError
from pytest_modelqa.reports.files import write_text
from pytest_modelqa.stats.tdg import BUDGETS_S

app = typer.Typer()

RESULTS = Path(".modelqa", "tiers.json")
SCHEMA_VERSION = "1.0"
_PATIENCE = 40
"""A run is stopped at so many times its budget: then it hangs."""
_COUNTS = re.compile(r"\bin \d+\.\d+s\b")
_FAILURE = re.compile(r"^(?:FAILED|ERROR) .+$", re.MULTILINE)
_PASSED = re.compile(r"(\d+) passed\b")
"""In pytest's last words: `3 passed, 1 skipped in 0.12s`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured run. `seconds` is wall time from the start of the process to its end.

    `code` is pytest's exit code, None where the run was stopped; `summary` its line of counts;
    `load` the machine's load average of the last minute before it, per core: above some tenths,
    others were at work. `failures` are the tests that failed, as pytest's summary names them.
    """

    tier: int
    seconds: float
    code: int | None
    summary: str
    load: float
    made: str
    failures: tuple[str, ...] = ()

    @property
    def budget_s(self) -> float:
        """What the tier may take."""
        return BUDGETS_S[self.tier]

    @property
    def passed(self) -> int:
        """How many tests passed, as pytest counts them; 0 where it counted none."""
        said = _PASSED.search(self.summary)
        return int(said[1]) if said else 0

    @property
    def green(self) -> bool:
        """Whether tests ran and none failed: pytest ends with 0 too where each was skipped."""
        return self.code == 0 and self.passed > 0

    @property
    def verdict(self) -> str:
        """In budget, or what is wrong."""
        if self.code is None:
            return "stopped"
        if not self.green:
            return "red"
        return "in budget" if self.seconds <= self.budget_s else "over"


@app.command()
def tiers(
    tier: Annotated[
        int | None,
        typer.Option("--tier", min=min(BUDGETS_S), max=max(BUDGETS_S), help="default: each"),
    ] = None,
    results: Annotated[
        Path, typer.Option("--results", metavar="FILE", help="where measurements are kept")
    ] = RESULTS,
) -> int:
    """Run the tests up to each tier, and print how long it took beside the budget.

    The command is a user's own: `pytest -m tier1`, `-m "tier1 or tier2"`, all three. PYTEST_ADDOPTS
    is left out: with it, a part of the tests could be timed.
    """
    runs = measure([tier] if tier else sorted(BUDGETS_S), results)
    return ExitCode.OK if all(r.verdict == "in budget" for r in runs) else ExitCode.FAILED


def measure(numbers: Iterable[int], results: Path) -> list[Run]:
    """Measure these tiers one after the other, print each, and keep them in a file."""
    typer.echo(_line("tier", "seconds", "budget", "load", "", "pytest said"))
    runs = []
    for number in numbers:
        runs.append(measured(number))
        typer.echo("\n".join([_row(runs[-1]), *runs[-1].failures]))
    keep(runs, results)
    typer.echo(f"wrote {results}", err=True)
    return runs


def expression(tier: int) -> str:
    """What selects the tests up to a tier: `tier1 or tier2`."""
    return " or ".join(f"tier{n}" for n in range(1, tier + 1))


def plain_environment() -> dict[str, str]:
    """The environment without PYTEST_ADDOPTS: `-x` or `-k` in it would choose what is measured."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}


def measured(tier: int, arguments: Iterable[str] = ()) -> Run:
    """Run pytest in this folder for the tests up to a tier, and time it from outside."""
    command = [sys.executable, "-m", "pytest", "-m", expression(tier), *arguments]
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, _ = process.communicate(timeout=_PATIENCE * BUDGETS_S[tier])
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            output, code = process.communicate()[0], None
    return Run(
        tier=tier,
        seconds=time.perf_counter() - began,
        code=code,
        summary=_summary(output),
        load=load,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        failures=tuple(_FAILURE.findall(output)),
    )


def _summary(output: str) -> str:
    """The last line with pytest's counts; where there is none, the last line."""
    lines = [line.strip("= \n") for line in output.splitlines() if line.strip("= \n")]
    counts = [line for line in lines if _COUNTS.search(line)]
    return [*(lines or ["nothing"]), *counts][-1]


def keep(runs: Iterable[Run], file: Path) -> None:
    """Put the runs into the file; those of other tiers stay. Raises OutputError, UsageError."""
    old = kept(file) if file.exists() else {}
    runs = {**old, **{run.tier: run for run in runs}}.values()
    file.parent.mkdir(parents=True, exist_ok=True)
    body = {"schema_version": SCHEMA_VERSION, "runs": [asdict(r) for r in runs]}
    write_text(file, json.dumps(body, indent=1) + "\n")


def kept(file: Path) -> dict[int, Run]:
    """The runs of a file, by tier. Raises UsageError where it is no such file."""
    try:
        body: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        runs = [Run(**{**r, "failures": tuple(r["failures"])}) for r in body["runs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"holds no measured tiers: {error}", where=str(file), remedy="modelqa tiers"
        ) from error
    return {run.tier: run for run in runs}


def _row(run: Run) -> str:
    seconds, load = f"{run.seconds:.2f} s", f"{run.load:.1f}"
    return _line(str(run.tier), seconds, f"{run.budget_s:g} s", load, run.verdict, run.summary)


def _line(*cells: str) -> str:
    tier, seconds, budget, load, verdict, summary = cells
    return f"{tier:<4}  {seconds:>9}  {budget:>7}  {load:>4}  {verdict:<9}  {summary}"
