"""Models that are made here: `modelqa build ci-light`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from pytest_modelqa.artifacts.build import built
from pytest_modelqa.artifacts.hashing import cache_root, sha256_of, size_of
from pytest_modelqa.core.errors import OutputError, UsageError

app = typer.Typer()


@app.command()
def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="such as ci-light")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="copy it to this new folder as well")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Make a model here, once; print its folder. What is in the cache is not made again."""
    if output is not None and output.exists():
        raise UsageError("exists already", where=str(output), remedy="choose another folder")
    cache = cache_root()
    folder = built(name, cache, lambda line: typer.echo(line, err=True))
    sha256 = sha256_of(folder, cache)
    if output is not None:
        folder = _copied(folder, output)
    if as_json:
        values = {"name": name, "path": str(folder), "sha256": sha256, "bytes": size_of(folder)}
        typer.echo(json.dumps(values))
    else:
        typer.echo(str(folder))


def _copied(folder: Path, output: Path) -> Path:
    try:
        return Path(shutil.copytree(folder, output))
    except (OSError, shutil.Error) as error:
        raise OutputError(f"cannot write the copy: {error}", where=str(output)) from error
