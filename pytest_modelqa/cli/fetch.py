"""`modelqa fetch` and `modelqa lock add`: the models of a lockfile, here and verified."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from pytest_modelqa.artifacts.fetching.adding import Place, described, write
from pytest_modelqa.artifacts.fetching.settings import Settings, from_environment
from pytest_modelqa.artifacts.fetching.stocked import Stocked, stocked
from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.artifacts.lock import NAME, TIERS, Entry, Lock, find_lock, load_lock
from pytest_modelqa.core.errors import ExitCode, ModelQAError, UsageError

app = typer.Typer()
lock_app = typer.Typer(
    no_args_is_help=True, help="The lockfile: which bytes each source must have."
)
app.add_typer(lock_app, name="lock")

_LOCK = typer.Option("--lock", help=f"instead of the nearest {NAME}", metavar="FILE")
_JSON = typer.Option("--json", help="print one JSON object")
_OFFLINE = typer.Option("--offline", help="ask nobody; as MODELQA_OFFLINE=1 and HF_HUB_OFFLINE=1")


@app.command()
def fetch(  # noqa: PLR0913, PLR0917 - a command's parameters are its options
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="this entry; may be repeated")
    ] = None,
    tier: Annotated[
        list[str] | None, typer.Option("--tier", help="ci-light, integration or full; repeatable")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every entry")] = False,
    offline: Annotated[bool, _OFFLINE] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="read every byte that is here again")
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept-licence", metavar="ID", help="its licence was read and is accepted"),
    ] = None,
    lockfile: Annotated[Path | None, _LOCK] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> int:
    """Bring models of the lockfile into the cache; what is there is verified and left alone."""
    lock = load_lock(lockfile or find_lock(Path.cwd()))
    chosen = _chosen(lock, ids or (), tier or (), every=every)
    found: list[Stocked] = []
    failures: list[tuple[Entry, ModelQAError]] = []
    try:
        with _settings(offline=offline, verify=verify, accepted=accept or ()) as settings:
            for entry in chosen:
                try:
                    found.append(stocked(entry, lock, cache_root(), settings))
                except ModelQAError as error:
                    failures.append((entry, error))
    except KeyboardInterrupt:
        typer.echo("modelqa: interrupted; the same command continues", err=True)
        return ExitCode.INTERRUPTED
    if as_json:
        typer.echo(json.dumps(_values(found, failures)))
    else:
        for one in found:
            typer.echo(f"{one.entry.id}: {one.state}, {one.bytes:,} bytes, {one.path}")
    for _, failure in failures:
        typer.echo(f"modelqa: {failure}", err=True)
    return failures[0][1].exit_code if failures else ExitCode.OK


@lock_app.command("add")
def add(  # noqa: PLR0913, PLR0917 - a command's parameters are its options
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="hf:, https:, pypi:, file:, build:")
    ],
    name: Annotated[str, typer.Option("--id", help="default: after the file or repository")] = "",
    tier: Annotated[str, typer.Option("--tier", help=", ".join(TIERS))] = "full",
    revision: Annotated[
        str,
        typer.Option("--revision", help="hf: a branch or tag becomes its commit; pypi: version"),
    ] = "",
    licence: Annotated[str, typer.Option("--licence", help="SPDX; a hub may tell it")] = "",
    must_accept: Annotated[
        bool, typer.Option("--must-accept", help="`fetch` asks for --accept-licence")
    ] = False,
    replacing: Annotated[bool, typer.Option("--replace", help="an entry of this id")] = False,
    lockfile: Annotated[Path | None, _LOCK] = None,
) -> None:
    """Measure a source and write its entry to ./models.lock.json; what was fetched is kept."""
    if tier not in TIERS:
        raise UsageError(f"{tier!r} is no tier", remedy=f"--tier {'|'.join(TIERS)}")
    path = lockfile or Path(NAME)
    asked = Entry(
        id=name, tier=tier, source=source, revision=revision, licence=licence, files=(),
        accept=must_accept,
    )  # fmt: skip
    with _settings() as settings:
        entry = described(asked, Place(lock=path.absolute(), cache=cache_root(), settings=settings))
    write(entry, path.absolute(), replacing=replacing)
    typer.echo(entry.id)


def _chosen(lock: Lock, ids: Sequence[str], tiers: Sequence[str], *, every: bool) -> list[Entry]:
    """The entries asked for, in the lockfile's order."""
    if not (ids or tiers or every):
        raise UsageError("nothing was asked for", remedy="modelqa fetch --id ID, --tier, or --all")
    known = [e.id for e in lock.entries]
    for wrong in (i for i in ids if i not in known):
        near = difflib.get_close_matches(wrong, known, 1)
        raise UsageError(
            f"there is no entry {wrong!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            where=str(lock.path),
            remedy=f"one of: {', '.join(known)}",
        )
    if bad := next((t for t in tiers if t not in TIERS), None):
        raise UsageError(f"{bad!r} is no tier", remedy=f"--tier {'|'.join(TIERS)}")
    return [e for e in lock.entries if every or e.id in ids or e.tier in tiers]


def _values(found: list[Stocked], failures: list[tuple[Entry, ModelQAError]]) -> dict[str, Any]:
    return {
        "models": [
            {"id": s.entry.id, "tier": s.entry.tier, "source": s.entry.source, "state": s.state,
             "path": str(s.path), "sha256": s.sha256, "bytes": s.bytes, "pinned": s.entry.pinned}
            for s in found
        ],
        "failures": [
            {"id": entry.id, "error": error.what, "remedy": error.remedy,
             "exit_code": int(error.exit_code)}
            for entry, error in failures
        ],
    }  # fmt: skip


@contextmanager
def _settings(
    *, offline: bool = False, verify: bool = False, accepted: Sequence[str] = ()
) -> Iterator[Settings]:
    """Settings that show progress on stderr, where that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def progress(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield from_environment(
            offline=offline,
            verify=verify,
            accepted=accepted,
            progress=progress,
            say=lambda line: typer.echo(line, err=True),
        )
