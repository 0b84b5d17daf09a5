"""`modelqa tdg`: one score of the code base, of four measured terms, held against a baseline."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pytest_modelqa.cli.tdg_results import Files, terms
from pytest_modelqa.cli.tiers import measure, plain_environment
from pytest_modelqa.core.errors import ExitCode, Unavailable, UsageError
from pytest_modelqa.reports.files import write_text
from pytest_modelqa.stats.tdg import BUDGETS_S, TOLERANCE, WEIGHTS, Tdg, dropped, scored

app = typer.Typer()

BASELINE = Path(".modelqa", "tdg-baseline.json")
SCHEMA_VERSION = "1.0"
_DEFAULT = Files()
_COVERED = ("pytest_modelqa", "training", "suites")
_COVERAGE_SETTINGS = "[run]\nbranch = true\npatch = subprocess\n"
"""Engines run in processes of their own: they are measured too."""


@app.command()
def tdg(  # noqa: PLR0913, PLR0917 - a command's parameters are its options
    junit: Annotated[
        Path, typer.Option("--junit", metavar="FILE", help="of a whole pytest run")
    ] = _DEFAULT.tests,
    coverage: Annotated[
        Path, typer.Option("--coverage", metavar="FILE", help="coverage.py's JSON, with branches")
    ] = _DEFAULT.coverage,
    mutation: Annotated[
        Path, typer.Option("--mutation", metavar="FILE", help="of the mutation run")
    ] = _DEFAULT.mutation,
    speed: Annotated[
        Path, typer.Option("--tiers", metavar="FILE", help="what `modelqa tiers` measured")
    ] = _DEFAULT.speed,
    baseline: Annotated[
        Path, typer.Option("--baseline", metavar="FILE", help="the score to hold this against")
    ] = BASELINE,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="points that the score may drop")
    ] = TOLERANCE,
    write_baseline: Annotated[
        bool, typer.Option("--write-baseline", help="this score is the new baseline")
    ] = False,
    run: Annotated[
        bool, typer.Option("--run", help="first make the results that are not here (minutes)")
    ] = False,
) -> int:
    """Score the code base: 0.3 tests + 0.3 coverage + 0.25 mutation + 0.15 build speed, of 100.

    A missing term gives no score. A score below the baseline by more than the tolerance fails.
    """
    files = Files(tests=junit, coverage=coverage, mutation=mutation, speed=speed)
    if run:
        make_missing(files)
    found = scored(terms(files))
    typer.echo("\n".join(table(found)))
    if write_baseline:
        write(found, baseline)
        typer.echo(f"wrote {baseline}", err=True)
        return ExitCode.OK
    if not baseline.exists():
        typer.echo(f"no baseline at {baseline}; make one: modelqa tdg --write-baseline", err=True)
        return ExitCode.OK
    return _compared(found, baseline, tolerance)


def table(found: Tdg) -> list[str]:
    """The terms, and the score, in lines."""
    lines = [f"{'term':<9} {'weight':>6} {'value':>7} {'points':>7}  counted"]
    lines += [
        f"{t.name:<9} {WEIGHTS[t.name]:>6.2f} {t.value:>7.2%} {t.points:>7.2f}  {t.counted}"
        for t in found.terms
    ]
    return [*lines, f"{'score':<9} {'':>6} {'':>7} {found.score:>7.2f}  of 100"]


def write(found: Tdg, file: Path) -> None:
    """Make this score the baseline. Raises OutputError."""
    body = {
        "schema_version": SCHEMA_VERSION,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "weights": dict(WEIGHTS),
        "score": found.score,
        "terms": {t.name: {"value": t.value, "counted": t.counted} for t in found.terms},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(body, indent=1) + "\n")


def _compared(found: Tdg, file: Path, tolerance: float) -> ExitCode:
    before = _baseline(file)
    score = before["score"]
    typer.echo(f"baseline {score:.2f} of {before['made']}: {found.score - score:+.2f}")
    if not dropped(found.score, score, tolerance):
        return ExitCode.OK
    for term in found.terms:
        was = before["terms"][term.name]["value"]
        if term.value < was:
            typer.echo(f"  {term.name} fell from {was:.2%} to {term.value:.2%}")
    typer.echo(f"dropped by more than {tolerance:g} points", err=True)
    return ExitCode.FAILED


def _baseline(file: Path) -> dict[str, Any]:
    """The baseline's body. Raises UsageError where it is none, or was weighed otherwise."""
    remedy = "modelqa tdg --write-baseline"
    try:
        body: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        ours = body["weights"] == dict(WEIGHTS)
        sound = 0 <= body["score"] <= 100 and isinstance(body["made"], str)  # noqa: PLR2004
        sound = sound and all(0 <= body["terms"][n]["value"] <= 1 for n in WEIGHTS)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"is no baseline: {error!r}", where=str(file), remedy=remedy) from error
    if not (ours and sound):
        raise UsageError(
            "is the baseline of another score: other weights, or no score from 0 to 100",
            where=str(file),
            remedy=remedy,
        )
    return body


def make_missing(files: Files) -> None:
    """Run what makes the results that are not here; what is here is left as it is.

    Tests and coverage are of one run: where one of them is missing, both are made.
    """
    if not (files.tests.exists() and files.coverage.exists()):
        _tests_and_coverage(files)
    if not files.mutation.exists():
        _command("-m", "benchmarks.mutation", "--results", str(files.mutation))
    if not files.speed.exists():
        measure(BUDGETS_S, files.speed)


def _tests_and_coverage(files: Files) -> None:
    """All tests, once: a JUnit file and coverage of every process.

    They get their names when the run has ended: half a run's file is consistent with itself too.
    """
    settings = files.coverage.with_name("coveragerc")
    parts = {file: file.with_name(f".{file.name}.part") for file in (files.tests, files.coverage)}
    for file, part in parts.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
    settings.write_text(_COVERAGE_SETTINGS, encoding="utf-8")
    junit, coverage = parts.values()
    _command(
        *("-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", f"--junitxml={junit}"),
        *(f"--cov={package}" for package in _COVERED),
        *("--cov-branch", f"--cov-config={settings}", f"--cov-report=json:{coverage}"),
        accepted=(ExitCode.OK, ExitCode.FAILED),
    )
    for file, part in parts.items():
        if part.exists():
            part.replace(file)


def _command(*arguments: str, accepted: tuple[int, ...] = (ExitCode.OK,)) -> None:
    """Run Python with these arguments, without PYTEST_ADDOPTS.

    Raises Unavailable where it ends with a code that is not accepted. That of red tests is, where
    they are counted: then the result is judged, not how the run ended.
    """
    typer.echo(f"python {' '.join(arguments)}", err=True)
    command = [sys.executable, *arguments]
    code = subprocess.run(command, check=False, env=plain_environment()).returncode
    if code not in accepted:
        raise Unavailable(
            f"ended with code {code}, so its result is not here",
            where=f"python {' '.join(arguments)}",
            remedy="run it alone, and look at what it says",
        )
