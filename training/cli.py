"""`modelqa train`: synthetic data, a check of configuration and data, and the runs themselves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pytest_modelqa.core.errors import ExitCode
from training.config import TrainingConfig
from training.config import load as load_config
from training.config.schema import json_schema, markdown
from training.data import Data, Leak, Prepared, examples, leaks, padding_share
from training.data import load as load_data
from training.data.leakage import duplicates
from training.loop import command as loop
from training.synth import generate, write

app = typer.Typer(
    no_args_is_help=True, help="Train adapters: data, configuration, runs and their checks."
)
app.command("run")(loop.run)
app.command("verify")(loop.verify)
LEAKS_SHOWN = 20
COLUMNS = ("set", "records", "duplicates", "prompt", "response", "median", "p95", "max", "cut")


@app.command("synth")
def synth(
    size: Annotated[int, typer.Option("--size", min=9, help="records of all nine sets")],
    out: Annotated[Path, typer.Option("--out", help="the folder that they are written to")],
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="overwrite other files")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the manifest")] = False,
) -> None:
    """Write the eight training sets and the hold-out, generated; 39000 is their full size."""
    manifest = write(generate(size, seed), out, seed=seed, replace=replace)
    if as_json:
        typer.echo(json.dumps(manifest))
        return
    rows: list[tuple[str, ...]] = [
        ("file", "records", "templates", "distinct-3", "same outputs", "sha256")
    ]
    rows += [_made(part) for part in manifest["sets"].values()]
    typer.echo(_table(rows))
    typer.echo(f"{manifest['records']:,} synthetic records in {out}")


@app.command("check")
def check(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="a JSON or YAML file")],
    tokens: Annotated[
        bool, typer.Option("--tokens/--no-tokens", help="count with the base model's tokenizer")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Validate a configuration and its data: counts, tokens, duplicates, leakage.

    The exit code is 1 where a record of the hold-out is also trained on.
    """
    settings = load_config(config)
    data = load_data(settings)
    prepared = _prepared(settings, data) if tokens else None
    found = leaks(data.train, data.eval) if data.eval else ()
    if as_json:
        typer.echo(json.dumps(_values(settings, data, prepared, found)))
    else:
        _tell(settings, data, prepared, found)
    if found:
        raise typer.Exit(ExitCode.FAILED)


@app.command("schema")
def schema(
    as_table: Annotated[bool, typer.Option("--table", help="the keys as a Markdown table")] = False,
) -> None:
    """Print the JSON Schema of training configurations."""
    typer.echo(markdown() if as_table else json.dumps(json_schema(), indent=2))


def _prepared(settings: TrainingConfig, data: Data) -> Prepared:
    """The data as tokens. Raises what finding the base raises."""
    from training.bases import find  # noqa: PLC0415
    from training.loop.adapter import tokenizer_of  # noqa: PLC0415 - imports transformers

    def say(text: str) -> None:
        typer.echo(text, err=True)

    tokenizer = tokenizer_of(find(settings.model, say).folder, say)
    return examples(settings, tokenizer, data)


def _made(part: Mapping[str, Any]) -> tuple[str, ...]:
    share = part["distinct_output_ngrams"]["3"]["share"]
    counts = (part["records"], part["templates"])
    return (
        part["file"],
        *(f"{n:,}" for n in counts),
        f"{share:.3f}",
        f"{part['duplicate_outputs']:,}",
        part["sha256"][:16],
    )


def _tell(
    settings: TrainingConfig, data: Data, prepared: Prepared | None, found: Sequence[Leak]
) -> None:
    typer.echo(f"{settings.path}: sound; values {settings.sha256[:16]}, data {data.sha256[:16]}")
    counts = {part.name: part for part in prepared.tokens} if prepared else {}
    rows: list[tuple[str, ...]] = [COLUMNS if counts else COLUMNS[:3]]
    for part in data.files:
        row: tuple[str, ...] = (
            part.name,
            f"{len(part.records):,}",
            f"{duplicates(part.records):,}",
        )
        if own := counts.get(part.name):
            numbers = (own.prompt, own.response, own.median, own.p95, own.longest, own.truncated)
            row += tuple(f"{n:,}" for n in numbers)
        rows.append(row)
    typer.echo(_table(rows))
    if prepared:
        typer.echo(_weight(settings, prepared))
    _tell_leaks(data, found)


def _weight(settings: TrainingConfig, prepared: Prepared) -> str:
    total = sum(part.total for part in prepared.tokens)
    share = _padding(settings, prepared)
    dropped = f"; {prepared.dropped} dropped: no room for a response" if prepared.dropped else ""
    return (
        f"{total:,} tokens; {share:.1%} of a training epoch's positions are padding "
        f"({settings.data.padding}){dropped}"
    )


def _padding(settings: TrainingConfig, prepared: Prepared) -> float:
    training = settings.training
    return padding_share(prepared.train, prepared.collator, training.batch_size, training.seed)


def _tell_leaks(data: Data, found: Sequence[Leak]) -> None:
    if data.eval is None:
        typer.echo("no hold-out: leakage was not checked")
        return
    for leak in found[:LEAKS_SHOWN]:
        typer.echo(f"leak: {leak}")
    if len(found) > LEAKS_SHOWN:
        typer.echo(f"... and {len(found) - LEAKS_SHOWN:,} more")
    typer.echo(f"{len(found):,} of {len(data.eval.records):,} held-out records are trained on")


def _values(
    settings: TrainingConfig, data: Data, prepared: Prepared | None, found: Sequence[Leak]
) -> dict[str, Any]:
    tokens = [dataclasses.asdict(part) for part in prepared.tokens] if prepared else None
    return {
        "config": {"path": str(settings.path), "sha256": settings.sha256},
        "data": {"sha256": data.sha256, "sets": dict(data.hashes)},
        "records": {part.name: len(part.records) for part in data.files},
        "duplicates": {part.name: duplicates(part.records) for part in data.files},
        "tokens": tokens,
        "padding_share": _padding(settings, prepared) if prepared else None,
        "leaks": [dataclasses.asdict(leak) for leak in found],
        "leakage_checked": data.eval is not None,
    }


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns apart by two blanks: the first to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
