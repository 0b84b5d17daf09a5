"""`modelqa crossval`: whether an artifact is still the model that its reference is."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pytest_modelqa.cli.comparing import NAME, Options, compared, prompts_in, subject
from pytest_modelqa.core.comparison.trace import TraceCompared
from pytest_modelqa.core.errors import ExitCode, Refused
from pytest_modelqa.core.receipt import Receipt, ReceivedArtifact, Sameness
from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.core.verdict import Outcome, Verdict
from pytest_modelqa.core.wire import encode
from pytest_modelqa.plan import Plan
from pytest_modelqa.qualify import Qualifier
from pytest_modelqa.receiving import received, traced
from pytest_modelqa.reports.layers import terminal
from pytest_modelqa.reports.receipt_summary import DIAGNOSIS
from pytest_modelqa.reports.text import ascii_only, count, one_line, printable, shortened
from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import read

app = typer.Typer()

_CODES: dict[Sameness, ExitCode] = {
    "same": ExitCode.OK,
    "differs": ExitCode.FAILED,
    "broken": ExitCode.FAILED,
    "undecided": ExitCode.NOTHING_RAN,
}
_WORDS: dict[Sameness, str] = {
    "same": "the same model, as far as these checks see",
    "differs": "NOT the same model",
    "broken": "not known: a check crashed or ran out of time, and nothing else was found to differ",
    "undecided": "undecided: nothing was found to differ, and not everything could be tested",
}
_MARGIN = 14
_WIDEST = 110
_MOST_DETAILS = 4
_LONGEST_DETAIL = 200
_HASH_DIGITS = 12
_STYLES: dict[Sameness, str] = {
    "same": "bold green",
    "differs": "bold red",
    "broken": "red",
    "undecided": "yellow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came out: the receipt, the checks' results, and the files that were written."""

    receipt: Receipt
    results: tuple[CaseResult, ...]
    files: dict[str, Path]
    seconds: float


@app.command()
def crossval(  # noqa: PLR0913, PLR0917 - a command's parameters are its options
    candidate: Annotated[
        str, typer.Argument(metavar="CANDIDATE", help="a file, a folder, or a source: build:NAME")
    ],
    reference: Annotated[
        str, typer.Argument(metavar="REFERENCE", help="what it should be the same as")
    ],
    parts: Annotated[
        str | None, typer.Option(metavar="PART,...", help="some of tokenizer,template,tensors,...")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="texts to compare on, one a line")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, max=4096, help="greedy tokens of each prompt")
    ] = None,
    budget: Annotated[
        Path | None, typer.Option(metavar="FILE", help="limits that modelqa calibrate wrote")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="for evidence, receipt and plot")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> int:
    """Compare two artifacts at every stage. 0: the same model; 1: not; 5: undecided."""
    options = Options(
        parts=tuple(p.strip() for p in parts.split(",") if p.strip()) if parts else None,
        prompts=prompts_in(prompts) if prompts else None,
        steps=steps,
        budget=budget,
    )
    plan = compared(subject(candidate), subject(reference), options)
    found = _compare(plan, report or _default_folder())
    if as_json:
        typer.echo(json.dumps(_values(found)))
    else:
        _print(found)
    return _CODES[found.receipt.overall.sameness]


def _default_folder() -> Path:
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return Path(".modelqa") / NAME / f"{started}-{secrets.token_hex(4)}"


def _compare(plan: Plan, folder: Path) -> Comparison:
    """Run the plan, each case told as it ends; then write the receipt."""
    start = time.perf_counter()
    run_id = secrets.token_hex(4)
    qualifier = Qualifier(plan, folder, run_id=run_id)
    interrupted = True
    try:
        results = tuple(_told(qualifier.result(case)) for case in plan.cases)
        interrupted = False
    finally:
        qualifier.close(interrupted=interrupted)
    lines = list(read([folder]))
    (record,) = records(lines, run_id)
    made = received(folder, plan, record, lines)
    if not made:
        raise Refused("a model changed while it was compared", where=NAME, remedy="run it again")
    ((receipt, files),) = made.values()
    return Comparison(
        receipt=receipt,
        results=results,
        files={**files, "evidence": folder},
        seconds=time.perf_counter() - start,
    )


def _told(result: CaseResult) -> CaseResult:
    typer.echo(f"  {result.case.name}: {result.verdict.outcome}, {result.seconds:.1f} s", err=True)
    return result


def _values(found: Comparison) -> dict[str, Any]:
    receipt = found.receipt
    return {
        "candidate": encode(receipt.candidate),
        "reference": encode(receipt.reference),
        "overall": encode(receipt.overall),
        "checks": [
            {
                "name": r.case.name,
                "gate": r.case.gate,
                "outcome": r.verdict.outcome.value,
                "reason": r.verdict.reason,
                "tested": r.verdict.tested,
                "remedy": r.verdict.remedy,
                "seconds": r.seconds,
            }
            for r in found.results
        ],
        "files": {kind: str(path) for kind, path in found.files.items()},
        "seconds": found.seconds,
    }


def _print(found: Comparison) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    receipt = found.receipt
    _line(console, "candidate", _described(receipt.candidate))
    _line(console, "reference", _described(receipt.reference))
    for result in found.results:
        if result.case.name != DIAGNOSIS:
            _print_check(console, result)
    if seen := traced(receipt):
        console.print()
        _print_layers(console, seen)
    sameness = receipt.overall.sameness
    console.print()
    _line(console, "verdict", _WORDS[sameness], _STYLES[sameness])
    for result in found.results:
        if result.case.name == DIAGNOSIS and sameness != "same":
            _line(console, "diagnosis", result.verdict.reason)
            _print_reasons(console, result.verdict)
    for kind, path in found.files.items():
        _line(console, kind, str(path))
    _line(console, "took", f"{found.seconds:.1f} s, {count(len(found.results), 'check')}")


def _print_layers(console: Console, seen: TraceCompared) -> None:
    """The plot, with bars that the output's encoding has."""
    plot = terminal(seen, columns=min(console.width, _WIDEST))
    if not console.encoding.startswith("utf"):
        plot = "".join(c if c.isascii() else "#" for c in plot)
    console.print(plot, soft_wrap=True)


def _safe(console: Console, text: str) -> str:
    """Text of models and files, as this output can show it."""
    shown = printable(text)
    return shown if console.encoding.startswith("utf") else ascii_only(shown)


def _line(console: Console, label: str, text: str, style: str = "") -> None:
    """Something to copy: on one line, however long."""
    shown = _safe(console, one_line(text))
    console.print(Text(f"{label:<{_MARGIN}}{shown}", style=style), soft_wrap=True)


def _print_check(console: Console, result: CaseResult) -> None:
    """Outcome and cost on a line, the reason wrapped below it, and what to do about it."""
    verdict = result.verdict
    style = "red" if verdict.outcome.failed else "yellow" if verdict.outcome.undecided else "green"
    line = f"{result.case.name:<24} {verdict.tested:>9,} tested {result.seconds:>7.1f} s"
    console.print(Text.assemble("\n", (f"{verdict.outcome.value:<{_MARGIN}}", style), line))
    for text in _wrapped(console, one_line(verdict.reason)):
        console.print(" " * _MARGIN + text, soft_wrap=True)
    _print_reasons(console, verdict)


def _print_reasons(console: Console, verdict: Verdict) -> None:
    """The first of the details of a falsified check, and what to do."""
    details = verdict.detail.splitlines() if verdict.outcome is Outcome.FALSIFIED else []
    told = [d for d in details if d not in verdict.reason]
    for detail in told[:_MOST_DETAILS]:
        _line(console, "", shortened(detail, _LONGEST_DETAIL), "dim")
    if len(told) > _MOST_DETAILS:
        _line(console, "", f"and {len(told) - _MOST_DETAILS} lines more, see the receipt", "dim")
    if verdict.remedy:
        _line(console, "", f"try: {verdict.remedy}", "cyan")


def _wrapped(console: Console, text: str) -> list[str]:
    room = max(40, console.width - _MARGIN)
    return [part.plain.rstrip() for part in Text(_safe(console, text)).wrap(console, room)]


def _described(side: ReceivedArtifact) -> str:
    return (
        f"{side.format} {side.quantization}, {side.bytes / 1e6:.1f} MB, "
        f"sha256 {side.sha256[:_HASH_DIGITS]}, {side.source.removeprefix('file:')}"
    )
