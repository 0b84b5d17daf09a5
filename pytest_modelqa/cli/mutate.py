"""`modelqa mutate`: what a playbook is worth, measured on defects planted into its own artifact."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_modelqa.artifacts.defects.defect import Defect, Variant
    from pytest_modelqa.mutation.outcome import Outcome

app = typer.Typer()


@app.command()
def mutate(  # noqa: PLR0913, PLR0917 - a command's parameters are its options
    playbook: Annotated[Path, typer.Argument(metavar="PLAYBOOK")],
    defects: Annotated[
        str, typer.Option("--defects", help="names and class:NAME, separated by commas")
    ] = "",
    only_healthy: Annotated[
        bool, typer.Option("--only-healthy", help="healthy variants, and no defect")
    ] = False,
    no_healthy: Annotated[
        bool, typer.Option("--no-healthy", help="defects, and no healthy variant")
    ] = False,
    checks: Annotated[
        str, typer.Option("--checks", help="parts of names of checks, separated by commas")
    ] = "",
    artifact: Annotated[
        str, typer.Option("--artifact", help="its key; else the first that is no reference")
    ] = "",
    model: Annotated[str, typer.Option("--model", help="one of the playbook's `models`")] = "",
    folder: Annotated[
        Path | None, typer.Option("--folder", help="evidence; an interrupted run goes on there")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="copies judged at a time")] = 1,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="ask engines too where the files alone give it away")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="write everything as JSON")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="the catalogue, and nothing is run")] = False,
) -> int:
    """Plant defects into copies of the playbook's artifact, and see which its checks find."""
    from pytest_modelqa.artifacts.defects.catalogue import selected  # noqa: PLC0415 - numpy
    from pytest_modelqa.artifacts.defects.healthy import VARIANTS  # noqa: PLC0415

    if only_healthy and (defects or no_healthy):
        raise UsageError("--only-healthy leaves no defect", remedy="leave out one of the options")
    chosen = () if only_healthy else selected(_words(defects))
    variants = () if no_healthy else VARIANTS
    if show:
        _list(chosen, variants)
        return ExitCode.OK
    asked = _Asked(
        playbook=playbook,
        model=model,
        artifact=artifact,
        checks=_words(checks),
        folder=folder or cache_root() / "mutation",
        jobs=jobs,
        quick=not thorough,
    )
    outcomes, other = _judged(asked, chosen, variants)
    return _reported(outcomes, other, json_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the command line says of the run."""

    playbook: Path
    model: str
    artifact: str
    checks: tuple[str, ...]
    folder: Path
    jobs: int
    quick: bool


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _list(defects: Sequence[Defect], variants: Sequence[Variant]) -> None:
    from pytest_modelqa.mutation.report import columns  # noqa: PLC0415

    rows = [(str(d.category), d.name, d.what) for d in defects]
    rows += [("healthy", v.name, v.what) for v in variants]
    typer.echo("\n".join(columns(rows)))


def _judged(
    asked: _Asked, defects: Sequence[Defect], variants: Sequence[Variant]
) -> tuple[list[Outcome], Mapping[tuple[str, str], str]]:
    from pytest_modelqa.checks.oracles import oracle_table  # noqa: PLC0415
    from pytest_modelqa.mutation.report import verdict  # noqa: PLC0415
    from pytest_modelqa.mutation.run import Mutations  # noqa: PLC0415
    from pytest_modelqa.mutation.subject import bench  # noqa: PLC0415
    from pytest_modelqa.playbook.load import load  # noqa: PLC0415

    made = bench(load(asked.playbook, oracle_table(), asked.model), asked.artifact, asked.checks)
    typer.echo(f"unaltered: {made.subject.path.name}", err=True)
    mutations = Mutations(made, asked.folder, quick=asked.quick)
    other = mutations.baseline.other
    green = len(mutations.baseline.green)
    typer.echo(f"  {green} checks are green; {mutations.baseline.seconds:.1f} s", err=True)
    for (modality, check), text in sorted(other.items()):
        typer.echo(f"  not green, so not counted: {modality} {check}: {text}", err=True)
    if not green:
        raise UsageError(
            "no check is green on the unaltered artifact, so none can turn red",
            where=str(asked.playbook),
            remedy=f"pytest --playbook {asked.playbook}",
        )

    def say(outcome: Outcome) -> None:
        typer.echo(f"{outcome.name}: {verdict(outcome)} ({outcome.seconds:.1f} s)", err=True)

    return mutations.judged(defects, variants, jobs=asked.jobs, say=say), other


def _reported(
    outcomes: Sequence[Outcome], other: Mapping[tuple[str, str], str], file: Path | None
) -> ExitCode:
    from pytest_modelqa.mutation.report import (  # noqa: PLC0415
        HEADINGS,
        as_json,
        columns,
        row,
        summary,
        totals,
    )

    found = totals(outcomes)
    typer.echo("\n".join(columns([HEADINGS, *map(row, outcomes)])))
    typer.echo("\n" + "\n".join(summary(found)))
    if file is not None:
        file.write_text(json.dumps(as_json(outcomes, other), indent=1) + "\n", encoding="utf-8")
    if all(o.state == "inapplicable" for o in outcomes):
        return ExitCode.NOTHING_RAN
    return ExitCode.FAILED if found.undetected or found.false_alarms.k else ExitCode.OK
