"""`modelqa convert`: an artifact in another format or quantisation."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from pytest_modelqa.artifacts.convert.kinds import source_path, target_kind
from pytest_modelqa.artifacts.convert.run import Converted, convert
from pytest_modelqa.artifacts.hashing import cache_root, sha256_of
from pytest_modelqa.core.errors import UsageError

app = typer.Typer()

RECORDS = ".derivation.jsonl"


@app.command("convert")
def convert_command(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="a .gguf or .apr file, or a safetensors folder")
    ],
    to: Annotated[str, typer.Option("--to", help="gguf, safetensors or apr")],
    quant: Annotated[str, typer.Option("--quant", help="f32, f16, bf16, q8_0, q4_k_m ...")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="copy the result here; else it stays in the cache"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Convert a model, once; print what was made, and its hash."""
    target = target_kind(to, quant)
    if output is not None and not output.parent.is_dir():
        raise UsageError("the folder does not exist", where=str(output.parent))
    result = convert(source_path(source), target, cache_root(), lambda t: typer.echo(t, err=True))
    path = result.made.path
    if output is not None:
        _copy(result, output)
        path = output
    if as_json:
        typer.echo(json.dumps(_values(result, path)))
    else:
        typer.echo(f"{path}\nsha256 {result.made.sha256}")


def _copy(result: Converted, output: Path) -> None:
    """Copy beside the target, then rename: the target appears whole or not at all.

    Raises UsageError where something else is there already.
    """
    if output.exists():
        if sha256_of(output, cache_root()) != result.made.sha256:
            raise UsageError(
                "exists already and is something else",
                where=str(output),
                remedy="choose another name, or remove it",
            )
    else:
        part = output.with_name(f".{output.name}.{os.getpid()}.part")
        try:
            if result.made.path.is_dir():
                shutil.copytree(result.made.path, part)
            else:
                shutil.copyfile(result.made.path, part)
            part.rename(output)
        finally:
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)
    lines = "".join(json.dumps(s.record, sort_keys=True) + "\n" for s in result.stages)
    output.with_name(output.name + RECORDS).write_text(lines, encoding="utf-8")


def _values(result: Converted, path: Path) -> dict[str, Any]:
    made = result.made
    return {
        "path": str(path),
        "format": made.kind.format,
        "quantization": made.kind.quantization,
        "sha256": made.sha256,
        "bytes": made.bytes,
        "cached": not any(s.fresh for s in result.stages),
        "source": {
            "format": result.source.format,
            "quantization": result.source.quantization,
            "sha256": result.source_sha256,
        },
        "stages": [
            {
                "tool": s.record["predicate"]["buildDefinition"]["externalParameters"]["tool"],
                "to": str(s.kind),
                "sha256": s.sha256,
                "path": str(s.path),
                "log": str(s.log),
                "cached": not s.fresh,
            }
            for s in result.stages
        ],
    }
