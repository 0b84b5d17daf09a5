"""`modelqa modelfile`: write one for a GGUF file, check one, import the model into Ollama."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from pytest_modelqa.core.errors import ExitCode, UsageError
from training.findings import Finding, all_hold, insist, table
from training.modelfile.check import check
from training.modelfile.compose import compose
from training.modelfile.ollama import Server, default_address, import_model
from training.modelfile.syntax import Modelfile, parse, written

_MAGIC = b"GGUF"
_MOST = 1 << 20
"""Bytes of a Modelfile."""


def modelfile(  # noqa: PLR0913,PLR0917 - each is an option of the command line
    source: Annotated[Path, typer.Argument(metavar="SRC", help="a .gguf file, or a Modelfile")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="write here; else print the text")
    ] = None,
    system: Annotated[str, typer.Option("--system", help="the system text")] = "",
    license_file: Annotated[
        Path | None, typer.Option("--license", help="a text file; else what the GGUF says")
    ] = None,
    num_ctx: Annotated[int, typer.Option("--num-ctx", min=0, help="tokens; 0: 4096 at most")] = 0,
    name: Annotated[str, typer.Option("--create", help="import it into Ollama as NAME")] = "",
    host: Annotated[str, typer.Option("--host", help="the server; else OLLAMA_HOST")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Write or check a Modelfile; with --create, import the model through Ollama's REST API.

    What does not fit its GGUF file is not written, not imported, and ends with code 1 or 10.
    """
    if _is_gguf(source):
        made = _composed(source, output, system, license_file, num_ctx)
        folder = (output or source).parent
        findings = check(made, folder)
        insist(findings, str(source), f"modelqa inspect {source}")
    else:
        made, folder = parse(_text(source), str(source)), source.parent
        findings = check(made, folder)
    text = written(made)
    where = _written(text, output) if output else source
    imported: dict[str, Any] = {}
    if name and all_hold(findings):
        remedy = f"ollama serve; ollama create {name} -f {where}"
        server = Server(host or default_address(), remedy)
        imported = import_model(name, made, folder / made.source, server, _say)
    _tell(text, output, findings, imported, as_json=as_json)
    if not all_hold(findings):
        raise typer.Exit(ExitCode.FAILED)


def _is_gguf(path: Path) -> bool:
    if not path.is_file():
        raise UsageError("no such file", where=str(path), remedy="a .gguf file, or a Modelfile")
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _composed(
    path: Path, output: Path | None, system: str, license_file: Path | None, num_ctx: int
) -> Modelfile:
    """FROM is relative to the Modelfile where it can be, so that both can be moved together."""
    folder = (output or path).parent.resolve()
    target = path.resolve()
    relative = target.is_relative_to(folder)
    return compose(
        path,
        source=f"./{target.relative_to(folder)}" if relative else str(target),
        system=system,
        license_text=_text(license_file).strip() if license_file else "",
        parameters=(("num_ctx", num_ctx),) if num_ctx else (),
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST:
            raise UsageError(f"larger than {_MOST:,} bytes: no such text", where=str(path))
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read as text: {error}", where=str(path)) from None


def _written(text: str, output: Path) -> Path:
    """Write beside the target, then rename: it appears whole or not at all."""
    if not output.parent.is_dir():
        raise UsageError("the folder does not exist", where=str(output.parent))
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
    return output


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _tell(
    text: str,
    output: Path | None,
    findings: list[Finding],
    imported: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    digest = hashlib.sha256(text.encode()).hexdigest()
    if as_json:
        values = {
            "path": str(output) if output else None,
            "sha256": digest,
            "text": text,
            "passed": all_hold(findings),
            "checks": [f.values for f in findings],
            "imported": imported or None,
        }
        typer.echo(json.dumps(values))
        return
    _say(table(findings))
    typer.echo(f"{output}\nsha256 {digest}" if output else text, nl=bool(output))
    if imported:
        typer.echo(f"{imported['model']}: {imported['bytes']:,} bytes in Ollama")
