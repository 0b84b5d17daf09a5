"""The artifact that defects are planted in: what it has, in GGUF's words, whatever its format."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import gguf, safetensors
from pytest_modelqa.artifacts.convert.kinds import format_of, kind_of
from pytest_modelqa.artifacts.names import LAYER_NAMES
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.model import Format

PERMUTED = frozenset({"llama"})
"""Families whose rows of Q and K llama.cpp's converter puts in another order."""

CONFIG_KEYS = {
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "rope.freq_base": "rope_theta",
}
"""GGUF's hyper-parameters, after the architecture, and what config.json calls them."""

_TOP = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_SHORT = {theirs: ours for ours, theirs in LAYER_NAMES.items()}
_LAYER = re.compile(r"^model\.layers\.(\d+)\.(.+)\.(weight|bias)$")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A sound artifact. `shapes` in torch's order and `types`, by GGUF's tensor names.

    `stored` maps those names to the file's own. `metadata` has GGUF's keys; of a folder, only
    hyper-parameters and the chat template. `origin` is what the artifact was made from, where it
    is known: other types are made of it, so that none is coarser than its name says.
    """

    path: Path
    format: Format
    quantization: str
    shapes: Mapping[str, tuple[int, ...]]
    types: Mapping[str, str]
    stored: Mapping[str, str]
    metadata: Mapping[str, Any]
    origin: Path | None = None

    @cached_property
    def architecture(self) -> str:
        """`llama`: what keys of hyper-parameters begin with."""
        return str(self.metadata.get("general.architecture", ""))

    def key(self, name: str) -> str:
        """A hyper-parameter's whole key."""
        return f"{self.architecture}.{name}"

    def hyper(self, name: str, default: Any = None) -> Any:
        """A hyper-parameter's value."""
        return self.metadata.get(self.key(name), default)

    @cached_property
    def layers(self) -> int:
        """Number of blocks."""
        return int(self.hyper("block_count", 0))

    @cached_property
    def heads(self) -> tuple[int, int]:
        """Query heads and key-value heads."""
        queries = int(self.hyper("attention.head_count", 0))
        return queries, int(self.hyper("attention.head_count_kv", queries))

    @cached_property
    def middle(self) -> int:
        """The layer that a defect of one layer goes to: neither the first nor the last."""
        return max(0, min(self.layers - 2, self.layers // 2))

    def tensor(self, short: str, layer: int | None = None) -> str:
        """`blk.N.attn_q.weight`, of the middle layer if none is given."""
        return f"blk.{self.middle if layer is None else layer}.{short}.weight"

    def has(self, *names: str) -> bool:
        """Whether all these tensors are here."""
        return all(name in self.shapes for name in names)

    @property
    def template(self) -> str:
        """The chat template, or nothing."""
        found = self.metadata.get("tokenizer.chat_template", "")
        return found if isinstance(found, str) else ""


def subject_of(path: Path) -> Subject:
    """Read an artifact. Raises Refused where it is not sound, or of a format without defects."""
    form = format_of(path)
    if form == "gguf":
        return _gguf(path)
    if form == "safetensors":
        return _folder(path)
    raise Refused(
        f"no defects are planted in {form} files",
        where=str(path),
        remedy=f"modelqa convert {path} --to gguf --quant f16",
    )


def _gguf(path: Path) -> Subject:
    header = gguf.read(path)
    _sound(path, header.findings)
    return Subject(
        path=path,
        format="gguf",
        quantization=kind_of(path).quantization,
        shapes={t.name: tuple(reversed(t.shape)) for t in header.tensors},
        types={t.name: t.type for t in header.tensors},
        stored={t.name: t.name for t in header.tensors},
        metadata=header.metadata,
    )


def _folder(path: Path) -> Subject:
    header = safetensors.read_folder(path)
    _sound(path, header.findings)
    ours = {t.name: _gguf_name(t.name) for t in header.tensors}
    return Subject(
        path=path,
        format="safetensors",
        quantization=kind_of(path).quantization,
        shapes={ours[t.name]: t.shape for t in header.tensors},
        types={ours[t.name]: t.type for t in header.tensors},
        stored={ours[t.name]: t.name for t in header.tensors},
        metadata=_metadata(path),
    )


def _sound(path: Path, findings: list[Any]) -> None:
    if findings:
        first = findings[0]
        raise Refused(
            f"{first.code} {first.where}: {first.message}",
            where=str(path),
            remedy=f"modelqa inspect {path}; plant defects into a sound artifact",
        )


def _gguf_name(name: str) -> str:
    match = _LAYER.match(name)
    if match and match[2] in _SHORT:
        return f"blk.{match[1]}.{_SHORT[match[2]]}.{match[3]}"
    return _TOP.get(name, name)


def _metadata(folder: Path) -> dict[str, Any]:
    config = json_of(folder / "config.json")
    architecture = str(config.get("model_type", ""))
    found: dict[str, Any] = {"general.architecture": architecture}
    for ours, theirs in CONFIG_KEYS.items():
        value = config.get(theirs, config.get("rope_parameters", {}).get(theirs))
        if value is not None:
            found[f"{architecture}.{ours}"] = value
    separate = folder / "chat_template.jinja"
    if separate.is_file():
        found["tokenizer.chat_template"] = separate.read_text(encoding="utf-8")
    elif template := json_of(folder / "tokenizer_config.json").get("chat_template"):
        found["tokenizer.chat_template"] = template
    return found


def json_of(file: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is no such file."""
    if not file.is_file():
        return {}
    found = json.loads(file.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}
