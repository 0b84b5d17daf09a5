"""A stage of a chain, made once: in a process of its own, in the cache, with record and log."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import apr, gguf, safetensors
from pytest_modelqa.artifacts.convert.kinds import Kind
from pytest_modelqa.artifacts.convert.statement import statement
from pytest_modelqa.artifacts.convert.tools import Stage, versions
from pytest_modelqa.artifacts.folders import publish
from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.core.errors import ExitCode, ModelQAError, OutputError, Refused
from pytest_modelqa.core.ids import content_key

RECORD = "derivation.json"
LOG = "convert.log"
_LAST_LINES = 5
_LONGEST_S = 6 * 3600.0
"""A 70B model quantises in less on a desktop; nobody waits longer for a conversion that hangs."""
_NAMES = {"gguf": "model.gguf", "apr": "model.apr", "safetensors": "model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a stage gave. `path` is the file or folder; `fresh` is false for a cache hit."""

    path: Path
    kind: Kind
    sha256: str
    bytes: int
    record: Mapping[str, Any]
    log: Path
    fresh: bool


def entry_of(stage: Stage, parent: str, cache: Path) -> Path:
    """The cache's folder for a stage; named by parent, target, tool and versions."""
    key = content_key(parent, stage.tool.name, stage.tool.revision, dict(versions(stage.tool)))
    return cache / "derived" / f"{stage.target}-{parent[:16]}-{key[:16]}"


def recall(stage: Stage, parent: str, cache: Path) -> Made | None:
    """What an earlier run made, or None.

    Raises Refused where its bytes are no longer those of its record.
    """
    entry = entry_of(stage, parent, cache)
    if not entry.is_dir():
        return None
    path = entry / _NAMES[stage.target.format]
    try:
        record = json.loads((entry / RECORD).read_text(encoding="utf-8"))
        artifact = record["predicate"]["buildDefinition"]["externalParameters"]["artifact"]
        found, size = str(artifact["sha256"]), int(artifact["bytes"])
        sound = sha256_of(path, cache) == found
    except (OSError, ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise Refused(
            "the cached conversion is not what its record says",
            where=str(entry),
            remedy=f"rm -r {entry}, then run again",
        )
    return Made(
        path=path,
        kind=stage.target,
        sha256=found,
        bytes=size,
        record=record,
        log=entry / LOG,
        fresh=False,
    )


def run_stage(stage: Stage, source: Path, parent: str, cache: Path) -> Made:
    """Make what a stage gives, or wait for the process that is at it.

    Raises Refused, OutputError.
    """
    fresh = False

    def fill(part: Path) -> None:
        nonlocal fresh
        fresh = True
        made = part / _NAMES[stage.target.format]
        _work(stage, source, made, entry)
        _failed_log(entry).unlink(missing_ok=True)
        record = statement(stage, parent, versions(stage.tool), made)
        text = json.dumps(record, indent=1, sort_keys=True)
        (part / RECORD).write_text(text, encoding="utf-8")

    entry = entry_of(stage, parent, cache)
    publish(entry, fill)
    found = recall(stage, parent, cache)
    if found is None:  # removed by hand in this very moment
        raise OutputError("the conversion vanished from the cache", where=str(entry))
    return Made(
        path=found.path,
        kind=found.kind,
        sha256=found.sha256,
        bytes=found.bytes,
        record=found.record,
        log=found.log,
        fresh=fresh,
    )


def _work(stage: Stage, source: Path, made: Path, entry: Path) -> None:
    """Run the worker; its log stays beside the result, and beside the entry where it failed."""
    worker = "pytest_modelqa.artifacts.convert.worker"
    command = [sys.executable, "-m", worker, stage.tool.name]
    command += [str(source.resolve()), str(made), stage.target.quantization]
    log = made.parent / LOG
    code = _logged(command, log)
    problem = "" if code else _unsound(made)
    if not code and not problem:
        return
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    kept = _failed_log(entry)
    shutil.move(log, kept)
    shutil.rmtree(made.parent, ignore_errors=True)
    said = problem or "; ".join(lines[-_LAST_LINES:]) or f"ended with code {code} and no message"
    error: type[ModelQAError] = OutputError if code == ExitCode.OUTPUT else Refused
    raise error(
        f"{stage.tool.name} cannot make {stage.target} of {stage.source}: {said}",
        where=str(source),
        remedy=f"read the log {kept}, or give the artifact a source of its own",
    )


def _failed_log(entry: Path) -> Path:
    return entry.with_suffix(".failed.log")


def _logged(command: list[str], log: Path) -> int:
    """Run to the end with output into `log`. The pipe to its stdin ends it when we are killed."""
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONUTF8": "1"}
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **offline, "TOKENIZERS_PARALLELISM": "false"},
        ) as process,
    ):
        try:
            return process.wait(_LONGEST_S)
        except BaseException:
            process.kill()
            raise


def _unsound(made: Path) -> str:
    """What is wrong with the result's header; empty where nothing is."""
    if made.suffix == ".gguf":
        findings = gguf.read(made).findings
    elif made.suffix == ".apr":
        findings = list(apr.read(made).findings)
    else:
        findings = safetensors.read_folder(made).findings
    if not findings:
        return ""
    return f"the result is not sound: {findings[0].code} {findings[0].where}"
