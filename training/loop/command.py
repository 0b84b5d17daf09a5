"""`modelqa train run` and `modelqa train verify`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pytest_modelqa.core.errors import ExitCode
from training.config import load
from training.findings import Finding, all_hold, table
from training.loop.run import train
from training.loop.verify import verify as verified

Json = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="a JSON or YAML file")],
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the run that was interrupted")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train an adapter; print its folder and the hash of its file."""
    made = train(load(config), _say, resume=resume)
    if as_json:
        values = {"path": str(made.folder), "sha256": made.sha256, "statistics": made.statistics}
        typer.echo(json.dumps(values))
    else:
        typer.echo(f"{made.folder}\nadapter sha256 {made.sha256}")


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the folder of a finished run")],
    as_json: Json = False,
) -> None:
    """Check a finished run; the exit code is 1 where a check does not hold."""
    findings = verified(folder, _say)
    tell(findings, folder, as_json=as_json)
    if not all_hold(findings):
        raise typer.Exit(ExitCode.FAILED)


def tell(findings: Sequence[Finding], folder: Path, *, as_json: bool) -> None:
    """Print every check with its reason."""
    if as_json:
        checks = [f.values for f in findings]
        values = {"path": str(folder), "passed": all_hold(findings), "checks": checks}
        typer.echo(json.dumps(values))
    else:
        typer.echo(table(findings))


def _say(text: str) -> None:
    typer.echo(text, err=True)
