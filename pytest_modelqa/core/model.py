"""What is qualified: artifacts, and the cells of the test matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pytest_modelqa.core.request import Generate, Message

Format = Literal["gguf", "safetensors", "apr", "adapter"]
Modality = Literal["run", "chat", "serve"]
Backend = Literal["cpu", "gpu"]
Mode = Literal["exact", "fast"]
"""One sequence at a time, or batches: batches move floating-point results a little."""

FORMATS: tuple[Format, ...] = get_args(Format)
FLOATS = ("f32", "f16", "bf16")
FLOAT_FORMATS: tuple[Format, ...] = ("safetensors", "adapter")
"""Formats that hold floats alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSpec:
    """A model file that a playbook names, before anyone looked for it.

    `source` is `pypi:DIST:FILE`, `hf:ORG/NAME:FILE`, `https://HOST/FILE`, `build:NAME`,
    `file:PATH` or `derive:FORMAT-QUANT`; empty
    when the matrix asks for a file that the playbook gives no source of. `revision` pins `hf:`.
    `sha256` is the pin written in the playbook, if any; `engine` overrides the format's engine.
    """

    model: str
    format: Format
    quantization: str
    source: str = ""
    revision: str = ""
    sha256: str = ""
    engine: str = ""

    @property
    def key(self) -> str:
        """`gguf-q4_1`: unique within a playbook."""
        return f"{self.format}-{self.quantization}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model file that is here. For a directory, `sha256` hashes the sorted (name, sha256) pairs.

    `pinned` tells whether the hash was known beforehand (provenance) or only measured.
    `parent_sha256` is set where the file was derived here from another artifact.
    """

    spec: ArtifactSpec
    path: Path
    sha256: str
    bytes: int
    pinned: bool
    parent_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the matrix: an artifact on a backend in a modality."""

    artifact: ArtifactSpec
    backend: Backend
    modality: Modality
    engine: str

    @property
    def id(self) -> str:
        """`gguf-q4_1-cpu-chat`: readable in node ids, usable with `-k`."""
        return f"{self.artifact.key}-{self.backend}-{self.modality}"

    def ask(self, prompt: str, *, system: str = "", **how: Any) -> Generate:
        """Put a prompt the way this modality does: through the chat template, or raw.

        `how` are fields of `Generate`: max_tokens, temperature, seed. A system text without chat
        is written before the prompt, on lines of its own.
        """
        if self.modality == "run":
            return Generate(prompt=f"{system}\n\n{prompt}" if system else prompt, **how)
        turns = [Message(role="system", content=system)] if system else []
        return Generate(messages=(*turns, Message(role="user", content=prompt)), **how)
