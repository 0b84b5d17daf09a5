"""`modelqa inspect`: what a model file says, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pytest_modelqa.artifacts.codes import CODES, page
from pytest_modelqa.artifacts.fingerprint import fingerprint
from pytest_modelqa.artifacts.inspect import Model, model
from pytest_modelqa.artifacts.moments import Moments, all_moments
from pytest_modelqa.core.errors import ExitCode, UsageError

app = typer.Typer()


@app.command("inspect")
def inspect_command(
    path: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="a .gguf or .apr file, or a folder")
    ] = None,
    stats: Annotated[bool, typer.Option("--stats", help="also fingerprint and statistics")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    codes: Annotated[bool, typer.Option("--codes", help="print the table of all codes")] = False,
) -> int:
    """Inspect a model without opening it in any engine; 10 where an error is found."""
    if codes:
        typer.echo(page())
        return ExitCode.OK
    if path is None:
        raise UsageError("no file is named", remedy="modelqa inspect FILE")
    found = model(path)
    sound = not any(f.severity == "error" for f in found.seen.findings)
    values = all_moments(found.places) if stats and not found.seen.unsafe else {}
    content = fingerprint(found.places) if stats and not found.seen.unsafe else ""
    if as_json:
        typer.echo(json.dumps(_values(path, found, values, content)))
    else:
        _print(path, found, values, content)
    return ExitCode.OK if sound else ExitCode.MODEL_LOAD


def _values(
    path: Path, found: Model, values: dict[str, Moments | None], content: str
) -> dict[str, Any]:
    seen = asdict(found.seen)
    seen["findings"] = [
        {**asdict(f), "meaning": CODES.get(f.code, "")} for f in found.seen.findings
    ]
    return {
        "path": str(path),
        **seen,
        "mix": asdict(found.mix) if found.mix else None,
        "fingerprint": content or None,
        "statistics": {k: asdict(v) if v else None for k, v in values.items()},
    }


def _print(path: Path, found: Model, values: dict[str, Moments | None], content: str) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    seen = found.seen
    console.print(
        f"{path}: {seen.format or 'unknown'} {seen.architecture}, {seen.tensors:,} tensors, "
        f"{seen.parameters:,} parameters, {seen.checked:,} facts checked",
        soft_wrap=True,
    )
    if found.mix and found.mix.bytes:
        types = ", ".join(f"{n} {kind}" for kind, n in found.mix.tensors.items())
        console.print(f"types: {types}; {found.mix.bits_per_weight:.2f} bits per weight")
    if content:
        console.print(f"content: {content}")
    if seen.findings:
        console.print(_table(found))
    else:
        console.print("no findings")
    if values:
        console.print(_statistics(values))


def _table(found: Model) -> Table:
    table = Table("severity", "code", "where", "offset", "what")
    for f in found.seen.findings:
        offset = str(f.offset) if f.offset >= 0 else ""
        table.add_row(f.severity, f.code, f.where, offset, f.message)
    return table


def _statistics(values: dict[str, Moments | None]) -> Table:
    table = Table("tensor", "weights", "mean", "std", "min", "max", "zero", "L2")
    for name, seen in values.items():
        if seen is None:
            table.add_row(name, "type not decoded")
            continue
        numbers = (seen.mean, seen.std, seen.min, seen.max, seen.zero, seen.l2)
        table.add_row(name, f"{seen.weights:,}", *(f"{n:.4g}" for n in numbers))
    return table
