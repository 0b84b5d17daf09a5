"""The models that are known by name: the figures of their config.json files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import UsageError
from training.memory.architecture import Architecture, from_mapping
from training.memory.sizes import shown

_MOST_BYTES = 1 << 24
"""A config.json has some kilobytes; what is larger is another file."""

MODELS: dict[str, Architecture] = {
    "toy_124m": Architecture(
        vocab_size=32_000,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
    ),
    "smollm2-135m": Architecture(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    ),
    "llama-2-7b": Architecture(
        vocab_size=32_000,
        hidden_size=4096,
        intermediate_size=11_008,
        num_hidden_layers=32,
        num_attention_heads=32,
    ),
    "llama-2-13b": Architecture(
        vocab_size=32_000,
        hidden_size=5120,
        intermediate_size=13_824,
        num_hidden_layers=40,
        num_attention_heads=40,
    ),
    "llama-2-70b": Architecture(
        vocab_size=32_000,
        hidden_size=8192,
        intermediate_size=28_672,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
    ),
    "qwen2.5-coder-7b": Architecture(
        family="qwen2",
        vocab_size=152_064,
        hidden_size=3584,
        intermediate_size=18_944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
    ),
}
"""toy_124m is the seed's own (it has 162 million parameters in spite of its name)."""


def architecture(source: Architecture | Mapping[str, Any] | str | Path) -> Architecture:
    """The architecture of a known name, of a config.json (or its folder), or of its contents.

    Raises:
        UsageError: the name is unknown, the file is not JSON, or its sizes are wrong.
    """
    if isinstance(source, Architecture):
        return source
    if isinstance(source, Mapping):
        return from_mapping(source)
    if isinstance(source, str) and source in MODELS:
        return MODELS[source]
    if not isinstance(source, str | Path):
        raise UsageError(f"{shown(source)} is no configuration", remedy="modelqa memory --list")
    return _read(Path(source))


def _read(path: Path) -> Architecture:
    try:
        file = path / "config.json" if path.is_dir() else path
        there = file.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise UsageError(
            f"no model is known as {shown(str(path))}, and no such file; "
            f"known: {', '.join(MODELS)}",
            remedy="modelqa memory --list",
        )
    try:
        with file.open("rb") as opened:
            text = opened.read(_MOST_BYTES)
        config = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot be read as JSON: {error}", where=str(file)) from error
    if not isinstance(config, dict):
        raise UsageError("not a JSON object", where=str(file))
    return from_mapping(config, where=str(file))
