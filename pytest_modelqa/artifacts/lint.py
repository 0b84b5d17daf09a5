"""Configuration against tensors: what a header says of a model must be what its tensors are.

Only facts that hold for every member of an architecture family are compared; an architecture that
is not listed is compared by layers, width and vocabulary alone, so that nothing cries wolf.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import apr, gguf, safetensors
from pytest_modelqa.artifacts.facts import Facts
from pytest_modelqa.artifacts.hyper import GGUF_KEYS, HF_KEYS, LARGEST, lint_hyper
from pytest_modelqa.artifacts.mix import lint_mix
from pytest_modelqa.artifacts.names import LAYER_NAMES
from pytest_modelqa.artifacts.special import lint_folder_tokens, lint_gguf_tokens
from pytest_modelqa.core.answer import Finding

LLAMA_LIKE = frozenset({"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2"})
"""Families whose every layer has separate Q, K, V, O and gate, up, down projections."""

_BLOCK = re.compile(r"^blk\.(\d{1,6})\.(.+)$")
_LAYER = re.compile(r"^(?:model\.)?layers\.(\d{1,6})\.(.+)$")
_REQUIRED = ("embedding_length", "feed_forward_length", "attention.head_count")

Shape = tuple[int, ...]


def lint_gguf(header: gguf.Header) -> tuple[int, list[Finding]]:
    """Compare a sound GGUF header with itself: facts compared, and those that disagree."""
    offsets = {t.name: t.offset for t in header.tensors} | header.key_offsets
    facts = Facts(offsets)
    meta = header.metadata
    architecture = meta.get("general.architecture")
    facts.same("GGUF-KEY", "general.architecture", type(architecture).__name__, "str", "the format")
    architecture = architecture if isinstance(architecture, str) else ""
    shapes = {t.name: t.shape for t in header.tensors}
    _blocks(facts, shapes, meta.get(f"{architecture}.block_count"), f"{architecture}.block_count")
    _vocabulary(facts, meta, shapes)
    if architecture in LLAMA_LIKE:
        _required(facts, meta, architecture)
    for name, expected, source in _gguf_shapes(architecture, meta, shapes):
        if name in shapes:
            facts.same("TENSOR-SHAPE", name, shapes[name], expected, source)
        else:
            facts.same("TENSOR-MISSING", name, "missing", "present", source)
    lint_hyper(facts, meta, {k: f"{architecture}.{v}" for k, v in GGUF_KEYS.items()})
    lint_gguf_tokens(facts, meta)
    lint_mix(facts, header.tensors, meta.get("general.file_type"))
    return facts.checked, facts.findings


def _blocks(facts: Facts, shapes: Mapping[str, Shape], count: Any, source: str) -> None:
    found = {int(m[1]) for name in shapes if (m := _BLOCK.match(name))}
    if not isinstance(count, int):
        facts.same("GGUF-KEY", source, type(count).__name__, "int", "the format")
        return
    facts.same(
        "CONFIG-BLOCKS", source, f"{len(found)} blocks stored", f"{count} blocks stored", "it"
    )
    if found:
        expected = max(found) + 1
        facts.same(
            "CONFIG-BLOCKS", "blk.*", len(found), expected, f"the highest index {max(found)}"
        )


def _required(facts: Facts, meta: Mapping[str, Any], architecture: str) -> None:
    """Without these no shape can be expected, and the comparison would pass by silence."""
    for key in (f"{architecture}.{k}" for k in _REQUIRED):
        value = meta.get(key)
        per_layer = isinstance(value, Sequence) and not isinstance(value, str)
        sound = per_layer or (isinstance(value, int) and value > 0)
        found = "a size" if sound else repr(value)
        facts.same("GGUF-KEY", key, found, "a size", f"architecture {architecture}")


def _vocabulary(facts: Facts, meta: Mapping[str, Any], shapes: Mapping[str, Shape]) -> None:
    tokens = meta.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, tuple):
        return
    if "token_embd.weight" in shapes:
        rows = shapes["token_embd.weight"][-1]
        facts.same("CONFIG-VOCAB", "token_embd.weight", rows, len(tokens), "the token list")
    for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        if key in meta:
            given = meta[key]
            found = len(given) if isinstance(given, Sequence) else type(given).__name__
            facts.same("CONFIG-VOCAB", key, found, len(tokens), "the token list")
    for key, value in meta.items():
        if key.startswith("tokenizer.ggml.") and key.endswith("_token_id"):
            inside = isinstance(value, int) and 0 <= value < len(tokens)
            facts.same("CONFIG-SPECIAL", key, f"{value} {'in' if inside else 'out'}", f"{value} in",
                       f"a vocabulary of {len(tokens)}")  # fmt: skip


def _gguf_shapes(
    architecture: str, meta: Mapping[str, Any], shapes: Mapping[str, Shape]
) -> Iterator[tuple[str, Shape, str]]:
    """Expected shapes in ggml order: (input, output)."""

    def number(key: str) -> int | None:
        value = meta.get(f"{architecture}.{key}")
        return value if isinstance(value, int) else None

    width, blocks = number("embedding_length"), number("block_count")
    if width is None or blocks is None:
        return
    yield from _gguf_embeddings(architecture, width, shapes)
    if architecture not in LLAMA_LIKE:
        return
    yield "output_norm.weight", (width,), f"{architecture}.embedding_length"
    expected = _layer_shapes(width, [number(k) for k in _GGUF_SIZES])
    if number("expert_count"):
        expected = _without_feed_forward(expected)
    for block in range(_bounded(blocks, shapes)):
        for name, shape in expected.items():
            yield f"blk.{block}.{name}.weight", shape, f"{architecture}.*"


def _gguf_embeddings(
    architecture: str, width: int, shapes: Mapping[str, Shape]
) -> Iterator[tuple[str, Shape, str]]:
    if "token_embd.weight" in shapes:
        expected = (width, shapes["token_embd.weight"][-1])
        yield "token_embd.weight", expected, f"{architecture}.embedding_length"
        if "output.weight" in shapes:
            yield "output.weight", expected, "token_embd.weight"


def _without_feed_forward(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """A mixture of experts stores other projections there, under other names."""
    own = ("ffn_gate", "ffn_up", "ffn_down")
    return {name: shape for name, shape in shapes.items() if name not in own}


def _bounded(layers: int, shapes: Mapping[str, Shape]) -> int:
    """One layer more than tensors can fill says all that four thousand million would."""
    return min(layers, len(shapes) + 1)


def _projections(width: int, inner: int, queries: int, keys: int) -> dict[str, Shape]:
    return {
        "attn_norm": (width,),
        "attn_q": (width, queries),
        "attn_k": (width, keys),
        "attn_v": (width, keys),
        "attn_output": (queries, width),
        "ffn_norm": (width,),
        "ffn_gate": (width, inner),
        "ffn_up": (width, inner),
        "ffn_down": (inner, width),
    }


APR_KEYS = {
    "width": "hidden_size",
    "heads": "num_heads",
    "kv_heads": "num_kv_heads",
    "head": "head_dim",
    "rope": "",
    "base": "rope_theta",
    "context": "max_position_embeddings",
    "epsilon": "rms_norm_eps",
}


def lint_apr(header: apr.Header) -> tuple[int, list[Finding]]:
    """Compare an APR file's metadata, all of it optional, with its tensors."""
    facts = Facts({t.name: t.offset for t in header.tensors})
    meta = header.metadata
    lint_hyper(facts, meta, APR_KEYS)
    shapes = {t.name: t.shape for t in header.tensors}
    config = meta | {
        "num_hidden_layers": meta.get("num_layers"),
        "num_attention_heads": meta.get("num_heads"),
        "num_key_value_heads": meta.get("num_kv_heads"),
    }
    for name, expected in _hf_shapes(str(meta.get("architecture")), config, shapes):
        if name in shapes:
            facts.same("TENSOR-SHAPE", name, shapes[name], expected, "the metadata")
    return facts.checked, facts.findings


def lint_folder(folder: Path, header: safetensors.Header) -> tuple[str, int, list[Finding]]:
    """Compare config.json with the tensors of a folder: architecture, facts, findings."""
    facts = Facts({t.name: t.offset for t in header.tensors})
    config = _config(folder, facts)
    if config is None:
        return "", facts.checked, facts.findings
    architecture = str(config.get("model_type", ""))
    shapes = {t.name: t.shape for t in header.tensors}
    layers = {int(m[1]) for name in shapes if (m := _LAYER.match(name))}
    if isinstance(count := config.get("num_hidden_layers"), int) and layers:
        facts.same("CONFIG-BLOCKS", "num_hidden_layers", len(layers), count, "config.json")
    for name, expected in _hf_shapes(architecture, config, shapes):
        if name in shapes:
            facts.same("TENSOR-SHAPE", name, shapes[name], expected, "config.json")
        else:
            facts.same("TENSOR-MISSING", name, "missing", "present", "config.json")
    if architecture in LLAMA_LIKE:
        _sizes(facts, config)
    lint_hyper(facts, _with_rotation(config), HF_KEYS)
    _tokenizer(folder, facts, shapes)
    lint_folder_tokens(facts, folder, config.get("vocab_size"))
    return architecture, facts.checked, facts.findings


def _sizes(facts: Facts, config: Mapping[str, Any]) -> None:
    """A size that is no size would end every comparison with it, and pass by silence."""
    for key in ("hidden_size", "vocab_size", "num_hidden_layers", *_SIZES):
        if (value := config.get(key)) is not None:
            sound = isinstance(value, int) and not isinstance(value, bool) and value > 0
            facts.holds(sound, "CONFIG-SIZE", key, f"{value!r} is no size")


def _with_rotation(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the rotary base at the top, where transformers before 5 wrote it."""
    rotation = config.get("rope_parameters")
    base = rotation.get("rope_theta") if isinstance(rotation, Mapping) else None
    return config if base is None else {**config, "rope_theta": base}


def _config(folder: Path, facts: Facts) -> dict[str, Any] | None:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        facts.same("CONFIG", "config.json", f"unreadable ({error})", "readable", "the format")
        return None
    facts.same("CONFIG", "config.json", type(config).__name__, "dict", "the format")
    return config if isinstance(config, dict) else None


def _hf_shapes(
    architecture: str, config: Mapping[str, Any], shapes: Mapping[str, Shape]
) -> Iterator[tuple[str, Shape]]:
    """Expected shapes in torch order: (output, input)."""

    def number(key: str) -> int | None:
        value = config.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return max(-LARGEST, min(value, LARGEST))  # no product of two is too long to be told

    width, vocabulary, layers = (
        number(k) for k in ("hidden_size", "vocab_size", "num_hidden_layers")
    )
    embedding = "model.embed_tokens.weight"
    if width is None or vocabulary is None or layers is None:
        return
    if architecture in LLAMA_LIKE or embedding in shapes:
        yield embedding, (vocabulary, width)
    if architecture not in LLAMA_LIKE:
        return
    yield "model.norm.weight", (width,)
    if not config.get("tie_word_embeddings", True):
        yield "lm_head.weight", (vocabulary, width)
    if "quantization_config" not in config:  # packed projections have shapes of their own
        yield from _hf_layers(
            _layer_shapes(width, [number(k) for k in _SIZES]), _bounded(layers, shapes)
        )


def _hf_layers(expected: Mapping[str, Shape], layers: int) -> Iterator[tuple[str, Shape]]:
    for layer in range(layers):
        for ours, shape in expected.items():
            yield f"model.layers.{layer}.{LAYER_NAMES[ours]}.weight", tuple(reversed(shape))


_GGUF_SIZES = (
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
)
_SIZES = ("intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim")


def _layer_shapes(width: int, sizes: Sequence[int | None]) -> dict[str, Shape]:
    """Shapes of one layer in ggml order, or none where the configuration does not say enough.

    `sizes`: inner width, heads, key-value heads, width of a head.
    """
    inner, heads, kv_heads, head = sizes
    if not heads or not inner:
        return {}
    head = head or width // heads
    return _projections(width, inner, heads * head, (kv_heads or heads) * head)


def _tokenizer(folder: Path, facts: Facts, shapes: Mapping[str, Shape]) -> None:
    file = folder / "tokenizer.json"
    if not file.is_file():
        other = (folder / "tokenizer.model").is_file() or (folder / "vocab.json").is_file()
        facts.same(
            "TOKENIZER", "tokenizer.json", "present" if other else "missing", "present", "G0"
        )
        return
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        ids = [*data["model"]["vocab"].values(), *(t["id"] for t in data.get("added_tokens", ()))]
        highest = max(map(operator.index, ids))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # another tokenizer model than BPE or WordPiece: its ids are not listed by name
    if rows := shapes.get("model.embed_tokens.weight"):
        fits = "fits" if highest < rows[0] else "does not fit"
        facts.same("CONFIG-VOCAB", "tokenizer.json", f"id {highest} {fits}", f"id {highest} fits",
                   f"an embedding of {rows[0]} rows")  # fmt: skip
