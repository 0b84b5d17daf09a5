"""`modelqa fuzz`: run a target, print what was checked, keep what broke."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from pytest_modelqa.core.errors import ExitCode
from suites.fuzz.corpus import FOLDER, keep
from suites.fuzz.outcome import Outcome
from suites.fuzz.targets import NAMES, fuzz, runs


def command(
    target: Annotated[str, typer.Option("--target", help=", ".join(NAMES))],
    iterations: Annotated[
        int, typer.Option("--iterations", min=1, help="inputs; of `readers`: of all together")
    ] = 10_000,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="the same seed makes the same inputs")
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="let coverage choose the inputs (needs atheris)")
    ] = False,
    corpus: Annotated[
        Path,
        typer.Option(
            "--corpus",
            help="where inputs that broke something are kept",
            show_default="suites/fuzz/corpus",
        ),
    ] = FOLDER,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> int:
    """Fuzz the numeric code or our own readers; exit code 1 where something broke."""
    chosen = secrets.randbelow(1 << 31) if seed is None else seed
    outcomes = []
    for name, count in runs(target, iterations):
        outcomes.append(_run(name, count, chosen, guided=coverage))
        _tell(outcomes[-1], corpus, quiet=as_json)
    if as_json:
        typer.echo(json.dumps({"outcomes": [outcome.as_json() for outcome in outcomes]}))
    return ExitCode.OK if all(outcome.passed for outcome in outcomes) else ExitCode.FAILED


def _run(name: str, iterations: int, seed: int, *, guided: bool) -> Outcome:
    if guided:
        from suites.fuzz.guided import fuzz as by_coverage  # noqa: PLC0415 - needs atheris

        return by_coverage(name, iterations, seed)
    return fuzz(name, iterations, seed)


def _tell(outcome: Outcome, corpus: Path, *, quiet: bool) -> None:
    if not quiet:
        typer.echo("\n".join(outcome.lines()))
    for place in keep(outcome, corpus):
        typer.echo(f"kept {place}", err=True)
    if outcome.failures and not quiet:
        typer.echo("  try: python -m pytest suites/fuzz -k corpus", err=True)
