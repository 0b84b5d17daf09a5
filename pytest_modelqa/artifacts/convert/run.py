"""Converting an artifact: inspect it, find the chain, see to the space, run what is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_modelqa.artifacts.convert.kinds import Kind, format_of, kind_of, target_kind
from pytest_modelqa.artifacts.convert.stages import Made, recall, run_stage
from pytest_modelqa.artifacts.convert.tools import Stage, route, versions
from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.core.answer import Inspection
from pytest_modelqa.core.errors import ModelQAError, OutputError, Refused, Unavailable, UsageError

_WEIGHT_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0}
_QUANTISED_BYTES = 1.25
"""More than Q8_0's 1.06 bytes a weight, for what falls back to a wider type."""
_SPARE_BYTES = 64 << 20

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The result of a chain: its stages in order."""

    source: Kind
    source_sha256: str
    stages: tuple[Made, ...]

    @property
    def made(self) -> Made:
        """The last stage: what was asked for."""
        return self.stages[-1]


def convert(
    source: Path, target: Kind, cache: Path, progress: Progress = lambda _: None
) -> Converted:
    """Convert a file or folder; what was made before from the same bytes is used again.

    Raises UsageError (no such source, or it is of that kind already), Refused (not fit to be
    opened, or a tool declined it), Unavailable (no chain, or a tool is not installed), OutputError
    (no space, cache not writable).
    """
    format_of(source)  # a source that is not there is not hashed
    sha256 = sha256_of(source, cache)
    memory = cache / "kinds" / sha256
    kind = _remembered(memory) or kind_of(source)
    if kind == target:
        _inspected(source)
        raise UsageError(f"is {target} already", where=str(source))
    stages = _recalled(kind, target, sha256, cache)
    if stages is None:
        room = _Room(cache, _inspected(source))
        _remember(memory, kind)
        chain = route(kind, target)
        for stage in chain:
            versions(stage.tool)  # all tools are here before the first one starts
        stages = tuple(_run(chain, source, sha256, room, progress))
    return Converted(source=kind, source_sha256=sha256, stages=stages)


def _inspected(source: Path) -> Inspection:
    """Nothing opens a file but our own bounded readers, unless they found it sound."""
    seen = inspect(source, format_of(source))
    if seen.unsafe:
        first = seen.findings[0]
        raise Refused(
            f"{first.code} {first.where}: {first.message}",
            where=str(source),
            remedy=f"modelqa inspect {source}; get a sound copy",
        )
    return seen


def _remembered(memory: Path) -> Kind | None:
    """The kind of bytes that were inspected before: reading a vocabulary again takes 50 ms."""
    try:
        form, quantization = memory.read_text(encoding="utf-8").split("-", 1)
        return target_kind(form, quantization)
    except (OSError, ValueError, ModelQAError):
        return None


def _remember(memory: Path, kind: Kind) -> None:
    """Raises OutputError: a cache that cannot be written takes no conversion either."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        part = memory.with_suffix(f".{os.getpid()}.part")
        part.write_text(str(kind), encoding="utf-8")
        part.replace(memory)
    except OSError as error:
        raise OutputError(
            f"cannot write the cache: {error.strerror or error}",
            where=str(memory),
            remedy="free space, or set MODELQA_CACHE to a folder that can be written",
        ) from error


def _recalled(kind: Kind, target: Kind, sha256: str, cache: Path) -> tuple[Made, ...] | None:
    """The whole chain out of the cache: these very bytes were inspected when it was made."""
    stages = []
    try:
        for stage in route(kind, target):
            made = recall(stage, sha256, cache)
            if made is None:
                return None
            stages.append(made)
            sha256 = made.sha256
    except Unavailable:
        return None  # said again once the source is known to be sound
    return tuple(stages)


def _run(
    chain: tuple[Stage, ...], source: Path, sha256: str, room: _Room, progress: Progress
) -> list[Made]:
    stages: list[Made] = []
    path, parent = source, sha256
    for at, stage in enumerate(chain):
        made = recall(stage, parent, room.cache)
        if made is None:
            room.see_to(chain[at:])
            progress(f"{stage.tool.name}: {stage.source} -> {stage.target}")
            made = run_stage(stage, path, parent, room.cache)
        stages.append(made)
        path, parent = made.path, made.sha256
    return stages


class _Room:
    """Whether the cache has space for what is still to be made."""

    def __init__(self, cache: Path, seen: Inspection) -> None:
        self.cache = cache
        self._weights = seen.parameters

    def see_to(self, chain: tuple[Stage, ...]) -> None:
        """Raises OutputError before anything is written."""
        need = _SPARE_BYTES + sum(
            round(self._weights * _WEIGHT_BYTES.get(s.target.quantization, _QUANTISED_BYTES))
            for s in chain
        )
        here = next(p for p in (self.cache, *self.cache.resolve().parents) if p.exists())
        free = shutil.disk_usage(here).free
        if free < need:
            raise OutputError(
                f"{need:,} bytes are needed, {free:,} are free",
                where=str(self.cache),
                remedy="free space, or set MODELQA_CACHE to a folder on a larger disk",
            )
