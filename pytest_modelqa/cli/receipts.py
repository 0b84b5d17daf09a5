"""`modelqa verify-receipt`: whether a receipt holds, with its models or without them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pytest_modelqa.cli.remeasuring import (
    SIDES,
    chosen,
    found_artifacts,
    hashes,
    remeasured,
)
from pytest_modelqa.cli.verification import Findings, document, verified
from pytest_modelqa.core.errors import ExitCode, UsageError
from pytest_modelqa.core.receipt import Receipt
from pytest_modelqa.engines import build_of
from pytest_modelqa.reports.text import ascii_only, count, printable
from pytest_modelqa.runtime.machine import versions

app = typer.Typer()

_TOOL = "pytest-modelqa"


@app.command("verify-receipt")
def verify_receipt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a parity_<date>_<sha>.json")],
    rerun: Annotated[
        int, typer.Option(min=0, metavar="K", help="measure again, on K of the prompts")
    ] = 0,
    artifact: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=PATH", help="where a model is: candidate=PATH; repeatable"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="draws the prompts; default: another each time")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> int:
    """Check a receipt: schema, hashes, arithmetic, verdicts; 1 where something does not hold."""
    given = _paths(artifact or ())
    findings = verified(document(file))
    if findings.receipt is not None:
        drawn = secrets.randbelow(1 << 31) if seed is None else seed
        _with_models(findings, findings.receipt, given, rerun, drawn)
    if as_json:
        typer.echo(json.dumps(_values(file, findings)))
    else:
        _print(file, findings)
    return ExitCode.FAILED if findings.problems else ExitCode.OK


def _paths(given: Sequence[str]) -> dict[str, Path]:
    paths = {}
    for text in given:
        key, separator, path = text.partition("=")
        if not (key and separator and path):
            raise UsageError(f"{text!r} is not KEY=PATH", remedy="--artifact candidate=PATH")
        paths[key] = Path(path)
    return paths


def _with_models(
    findings: Findings, receipt: Receipt, given: dict[str, Path], rerun: int, seed: int
) -> None:
    """Add what the models that are here say."""
    there, ours = receipt.versions.get(_TOOL, ""), versions().get(_TOOL, "")
    if there != ours:
        findings.unchecked.append(f"checks may have changed: {_TOOL} {there} there, {ours} here")
    found = found_artifacts(receipt, given)
    for side in SIDES:
        said = receipt.candidate if side == "candidate" else receipt.reference
        if side in found:
            sentence = f"{count(len(said.files), 'file')} of {said.key} as recorded"
            findings.note(f"{side} hashes", hashes(said, found[side]), sentence)
        else:
            findings.unchecked.append(f"{side}: {said.source} is not here; --artifact {side}=PATH")
    if not rerun:
        findings.unchecked.append("nothing was measured again; --rerun K does")
        return
    if findings.problems:
        findings.unchecked.append("nothing was measured again: the receipt is not sound")
        return
    exchanges = chosen(receipt, rerun, seed)
    sentence = f"{len(exchanges)} of {len(receipt.exchanges)} answers are the same (--seed {seed})"
    findings.note("measured again", remeasured(receipt, found, exchanges), sentence)
    for engine in (receipt.engine, receipt.reference_engine):
        if engine.name and not engine.build.startswith(build_of(engine.name)):
            findings.unchecked.append(
                f"the engine is another: {build_of(engine.name)} here, {engine.build} there"
            )


def _values(file: Path, findings: Findings) -> dict[str, object]:
    return {
        "path": str(file),
        "holds": not findings.problems,
        "checked": findings.checked,
        "unchecked": findings.unchecked,
        "chosen": findings.chosen,
        "problems": [asdict(p) for p in findings.problems],
        "verdict": findings.receipt.overall.sameness if findings.receipt else None,
    }


def _print(file: Path, findings: Findings) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    shown = printable if console.encoding.startswith("utf") else ascii_only
    for label, sentences in (
        ("ok", findings.checked),
        ("unchecked", findings.unchecked),
        ("chosen", findings.chosen),
    ):
        for sentence in sentences:
            console.print(f"{label:<10} {shown(printable(sentence))}", soft_wrap=True)
    if findings.problems:
        table = Table("what", "where", "problem")
        for problem in findings.problems:
            cells = (problem.what, problem.where, problem.message)
            table.add_row(*(shown(printable(cell)) for cell in cells))
        console.print(table)
        told = count(len(findings.problems), "problem")
        console.print(f"{file}: does NOT hold, {told}", soft_wrap=True)
        return
    said = findings.receipt.overall.sameness if findings.receipt else ""
    console.print(f"{file}: holds, and says: {said}", soft_wrap=True)
