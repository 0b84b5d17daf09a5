"""`modelqa merge`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from training.findings import table
from training.merge.newest import newest_adapter
from training.merge.run import Request
from training.merge.run import merge as merged


class Dtype(StrEnum):
    """What the merged weights are stored in."""

    float32 = "float32"
    bfloat16 = "bfloat16"


def merge(
    adapter: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="an adapter's folder, or one that holds runs")
    ] = Path("outputs"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="a new folder; else ADAPTER_merged")
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--base", help="a safetensors folder; else the run's own base")
    ] = None,
    dtype: Annotated[Dtype, typer.Option("--dtype", help="of the merged weights")] = Dtype.float32,
    dequantise: Annotated[
        bool, typer.Option("--dequantise", help="merge into what the base is in 4 bits (NF4)")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Merge the newest adapter into its base, check the result, print its folder and its hash."""
    folder = newest_adapter(adapter)
    request = Request(
        adapter=folder,
        output=output or folder.with_name(f"{folder.name}_merged"),
        base=base,
        dtype=dtype.value,
        dequantise=dequantise,
    )
    made = merged(request, lambda text: typer.echo(text, err=True))
    if as_json:
        checks = [f.values for f in made.findings]
        values = {"path": str(made.folder), "sha256": made.sha256, "adapter": str(folder)}
        typer.echo(json.dumps({**values, "checks": checks}))
    else:
        typer.echo(table(made.findings), err=True)
        typer.echo(f"{made.folder}\nsha256 {made.sha256}")
