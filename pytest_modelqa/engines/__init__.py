"""Which engine runs what. Named here, loaded by name in the worker, never imported."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from pytest_modelqa.core.errors import UsageError, missing_extra
from pytest_modelqa.core.model import Format

GROUP = "modelqa.engines"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """Where an engine lives. `synthetic` engines answer from a script: no model, no inspection."""

    target: str
    package: str = ""
    extra: str = ""
    synthetic: bool = False


ENGINES: dict[str, EngineEntry] = {
    "llamacpp": EngineEntry(
        target="pytest_modelqa.engines.llamacpp:LlamaCpp",
        package="llama-cpp-python",
        extra="llamacpp",
    ),
    "transformers": EngineEntry(
        target="pytest_modelqa.engines.hf:Transformers",
        package="torch and transformers",
        extra="hf",
    ),
    "scripted": EngineEntry(target="pytest_modelqa.engines.scripted:Scripted", synthetic=True),
}

DEFAULT_ENGINE: dict[Format, str] = {"gguf": "llamacpp", "safetensors": "transformers"}


def engine_table() -> dict[str, EngineEntry]:
    """Ours, and those that installed packages register under `modelqa.engines` (name = target)."""
    table = dict(ENGINES)
    for point in entry_points(group=GROUP):
        if point.name in table:
            raise UsageError(
                f"the engine name {point.name!r} is taken", where=point.value, remedy="rename it"
            )
        table[point.name] = EngineEntry(target=point.value)
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


_IMPORT_NAMES = {
    "llamacpp": {"llama_cpp"},
    "hf": {"torch", "transformers", "accelerate"},
}
