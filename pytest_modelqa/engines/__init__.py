"""Which engine runs what. Named here, loaded by name in the worker, never imported."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from typing import Any

from pytest_modelqa.core.errors import UsageError, missing_extra
from pytest_modelqa.core.ids import content_key
from pytest_modelqa.core.model import Format

GROUP = "modelqa.engines"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """Where an engine lives, and the distributions that decide what it answers.

    `synthetic` engines answer from a script: no model, no inspection.
    """

    target: str
    package: str = ""
    extra: str = ""
    synthetic: bool = False
    distributions: tuple[str, ...] = ()


ENGINES: dict[str, EngineEntry] = {
    "llamacpp": EngineEntry(
        target="pytest_modelqa.engines.llamacpp:LlamaCpp",
        package="llama-cpp-python",
        extra="llamacpp",
        distributions=("llama-cpp-python",),
    ),
    "transformers": EngineEntry(
        target="pytest_modelqa.engines.hf:Transformers",
        package="torch and transformers",
        extra="hf",
        distributions=("transformers", "torch", "tokenizers"),
    ),
    "adapter": EngineEntry(
        target="pytest_modelqa.engines.hf_adapter:Adapted",
        package="peft",
        extra="train",
        distributions=("peft", "transformers", "torch", "tokenizers"),
    ),
    "scripted": EngineEntry(target="pytest_modelqa.engines.scripted:Scripted", synthetic=True),
}

DEFAULT_ENGINE: dict[Format, str] = {
    "gguf": "llamacpp",
    "safetensors": "transformers",
    "adapter": "adapter",
    "apr": "transformers",  # which no engine reads: it is unpacked first, bit by bit
}


def engine_table() -> dict[str, EngineEntry]:
    """Ours, and those that installed packages register under `modelqa.engines` (name = target)."""
    table = dict(ENGINES)
    for point in entry_points(group=GROUP):
        if point.name in table:
            raise UsageError(
                f"the engine name {point.name!r} is taken", where=point.value, remedy="rename it"
            )
        owner = (point.dist.name,) if point.dist else ()
        table[point.name] = EngineEntry(target=point.value, distributions=owner)
    return table


def resolve(name: str) -> tuple[EngineEntry, Any]:
    """Import an engine's class. Raises Unavailable (missing extra), UsageError (unknown)."""
    table = engine_table()
    if name not in table:
        raise UsageError(f"{name!r} is not an engine ({', '.join(sorted(table))})")
    entry = table[name]
    module, _, attribute = entry.target.partition(":")
    try:
        return entry, getattr(import_module(module), attribute)
    except ImportError as error:
        if entry.extra and (error.name or "").split(".")[0] in _IMPORT_NAMES[entry.extra]:
            raise missing_extra(f"engine {name!r}", entry.package, entry.extra) from error
        raise UsageError(f"engine {name!r} does not import: {error}", where=entry.target) from error


@cache
def build_of(name: str) -> str:
    """What an engine is built of, without importing it: versions, and a hash of native libraries.

    The same version of llama.cpp compiled for another processor gives other results.
    """
    return ", ".join(_build(d) for d in engine_table()[name].distributions) or name


def _build(name: str) -> str:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return f"{name} absent"
    native = sorted(
        f"{f} {f.hash.value}"
        for f in found.files or ()
        if f.hash and f.name.partition(".")[2].startswith(("so", "dylib", "pyd", "dll"))
    )
    return f"{name} {found.version}" + (f" ({content_key(native)[:8]})" if native else "")


_IMPORT_NAMES = {
    "llamacpp": {"llama_cpp"},
    "hf": {"torch", "transformers", "accelerate"},
    "train": {"peft", "torch", "transformers", "accelerate"},
}
