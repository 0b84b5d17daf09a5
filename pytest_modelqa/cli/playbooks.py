"""Playbooks beside pytest: check, plan, start, replay, report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.errors import ExitCode, UsageError
from pytest_modelqa.core.score import Judged
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.decision.judging import is_blocked, judged
from pytest_modelqa.plan import Plan, absence, estimate, example_case, make
from pytest_modelqa.playbook.export import json_schema
from pytest_modelqa.playbook.init import starter
from pytest_modelqa.playbook.load import load
from pytest_modelqa.playbook.load import validate as validate_playbook
from pytest_modelqa.qualify import ask_alone
from pytest_modelqa.reports.files import write_text
from pytest_modelqa.reports.json_report import to_json
from pytest_modelqa.reports.junit import junit_xml
from pytest_modelqa.reports.shipping.write import write_decisions
from pytest_modelqa.reports.terminal import render
from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import read

app = typer.Typer()

Candidate = Annotated[str, typer.Option("--model", help="one of the playbook's `models`")]
Playbooks = Annotated[list[Path], typer.Argument(metavar="PLAYBOOK...", show_default=False)]


@app.command()
def validate(playbooks: Playbooks) -> None:
    """Check playbooks; every mistake is printed as file:line:column."""
    table = oracle_table()
    mistakes = []
    for path in playbooks:
        try:
            validate_playbook(path, table)
        except UsageError as error:
            mistakes.append(str(error))
    if mistakes:
        raise UsageError("\n".join(mistakes))
    for path in playbooks:
        typer.echo(f"{path}: valid")


@app.command()
def schema() -> None:
    """Print the JSON Schema of playbooks."""
    typer.echo(json.dumps(json_schema(oracle_table()), indent=2, ensure_ascii=False))


@app.command()
def plan(
    playbook: Annotated[Path, typer.Argument(metavar="PLAYBOOK", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    model: Candidate = "",
) -> None:
    """Show cells, cases, requests and about how many tokens a playbook will cost."""
    made = make(load(playbook, oracle_table(), model))
    if as_json:
        typer.echo(json.dumps(_plan_values(made)))
        return
    numbers = estimate(made)
    typer.echo(f"{made.playbook.name}: {made.playbook.model.id}")
    for cell in made.cells:
        cases = [c for c in made.cases if c.cell == cell]
        missing = next((a.reason for c in cases if (a := absence(c))), "")
        note = f"  unavailable: {missing}" if missing else ""
        typer.echo(f"  {cell.id}  {len(cases)} cases  {cell.engine or '-'}{note}")
    for case in (c for c in made.cases if c.cell is None):
        why = absence(case)
        typer.echo(f"  {case.id}" + (f"  unavailable: {why.reason}" if why else ""))
    typer.echo(
        f"{numbers.cells} cells, {numbers.cases} cases, {numbers.requests} distinct requests, "
        f"about {numbers.prompt_tokens:,} prompt tokens, at most {numbers.max_new_tokens:,} new"
    )


def _plan_values(made: Plan) -> dict[str, object]:
    numbers = estimate(made)
    return {
        "playbook": made.playbook.name,
        "model": made.playbook.model.id,
        "cells": [c.id for c in made.cells],
        "cases": [c.id for c in made.cases],
        "requests": numbers.requests,
        "prompt_tokens": numbers.prompt_tokens,
        "max_new_tokens": numbers.max_new_tokens,
    }


@app.command()
def init(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="ORG/NAME")],
    template: Annotated[str, typer.Option(help="quick, standard or certify")] = "standard",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="write here instead of to stdout")
    ] = None,
) -> None:
    """Write a playbook to start from."""
    text = starter(model, template)
    if output is None:
        typer.echo(text, nl=False)
        return
    if output.exists():
        raise UsageError("exists already", where=str(output), remedy="choose another name")
    write_text(output, text)
    typer.echo(f"{output}: written; next: modelqa validate {output}", err=True)


@app.command()
def replay(
    playbook: Annotated[Path, typer.Argument(metavar="PLAYBOOK", show_default=False)],
    cell: Annotated[str, typer.Argument(metavar="CELL", help="such as gguf-q4_1-cpu-chat")],
    example: Annotated[str, typer.Option(help="the example as JSON, from a report's remedy")],
    model: Candidate = "",
) -> int:
    """Ask one generated example again, one sequence at a time; exits with 1 when it fails."""
    made = make(load(playbook, oracle_table(), model))
    case = example_case(made, cell, example)
    with TemporaryDirectory() as folder:
        result, text = ask_alone(made, case, Path(folder))
    typer.echo(f"answer:  {text!r}")
    typer.echo(f"verdict: {result.verdict.outcome}: {result.verdict.reason}")
    if result.verdict.remedy:
        typer.echo(f"try:     {result.verdict.remedy}")
    passed = result.verdict.outcome is Outcome.CORROBORATED
    return ExitCode.OK if passed else ExitCode.FAILED


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", show_default=False)],
    junit: Annotated[Path | None, typer.Option(help="write JUnit XML to this file")] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="write the JSON report to this file")
    ] = None,
    ship: Annotated[
        Path | None, typer.Option(help="write the files of ship decisions to this folder")
    ] = None,
) -> int:
    """Merge the evidence of one or several runs and report on it; 11 where it says BLOCKED."""
    merged = [judged(record) for record in records(read(folders))]
    _insist_on_something(merged, folders, ship)
    paths: dict[str, Path] = {}
    if junit is not None:
        write_text(junit, junit_xml(merged))
        paths["junit"] = junit
    if as_json is not None:
        write_text(as_json, to_json(merged))
        paths["report"] = as_json
    if ship is not None:
        paths |= write_decisions(ship, merged, {})
    typer.echo(render(merged, paths, width=100, color=sys.stdout.isatty()))
    return ExitCode.BLOCKED if any(map(is_blocked, merged)) else ExitCode.OK


def _insist_on_something(merged: list[Judged], folders: list[Path], ship: Path | None) -> None:
    """Nothing to report on is no success. Raises UsageError."""
    where = ", ".join(map(str, folders))
    if not merged:
        raise UsageError(
            "the evidence here holds no run",
            where=where,
            remedy="pytest --playbook FILE --modelqa-report DIR",
        )
    if ship is not None and not any(each.ship for each in merged):
        raise UsageError(
            "none of these runs decides whether to ship",
            where=where,
            remedy="leave out --ship, or name the folder of a playbook with `ship_gates:`",
        )
