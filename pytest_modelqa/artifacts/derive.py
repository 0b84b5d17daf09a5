"""GGUF to a safetensors folder by dequantisation: the same model, its values as float32 or shorter.

The weights are gguf's own dequantisation of each block; float32 holds them exactly. llama.cpp
stores the rows of Q and K of the llama family in another order for its rotary embedding; that is
undone.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.convert.floats import TORCH_NAMES, WIDTHS, encode
from pytest_modelqa.artifacts.convert.tensors import Entry, write
from pytest_modelqa.artifacts.names import LAYER_NAMES
from pytest_modelqa.artifacts.tokenizer import tokenizer_config, tokenizer_json
from pytest_modelqa.core.errors import Refused

_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_HEAD_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
_REQUIRED = (
    "block_count",
    "embedding_length",
    "feed_forward_length",
    "context_length",
    "attention.head_count",
    "attention.layer_norm_rms_epsilon",
)
_TOKENIZER = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")
_BLOCK = re.compile(r"^blk\.(\d+)\.(\w+)\.(weight|bias)$")


class Family(NamedTuple):
    """What transformers calls an architecture; `permuted` where the converter reorders Q and K."""

    model: str
    layers: Mapping[str, str]
    permuted: bool


FAMILIES = {
    "llama": Family("LlamaForCausalLM", LAYER_NAMES, permuted=True),
    "qwen2": Family("Qwen2ForCausalLM", LAYER_NAMES, permuted=False),
    "qwen3": Family("Qwen3ForCausalLM", {**LAYER_NAMES, **_HEAD_NORMS}, permuted=False),
}

Array = NDArray[np.float32]


def derive(source: Path, folder: Path, dtype: str = "F32") -> None:
    """Write model.safetensors, config.json and the tokenizer; `dtype` is safetensors' name.

    Raises Refused, OSError.
    """
    header = gguf.read(source)
    if header.findings:
        first = header.findings[0]
        raise Refused(f"{first.code} {first.where}: {first.message}", where=str(source))
    family = family_of(header.metadata)
    config = _config(header) | {"dtype": TORCH_NAMES[dtype]}
    for name, content in (
        ("config.json", config),
        ("generation_config.json", {k: v for k, v in config.items() if k.endswith("_token_id")}),
        ("tokenizer.json", tokenizer_json(header.metadata)),
        ("tokenizer_config.json", tokenizer_config(header.metadata)),
    ):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    entries = [
        Entry(
            _renamed(t.name, family),
            dtype,
            tuple(reversed(t.shape)),
            WIDTHS[dtype] * math.prod(t.shape),
        )
        for t in header.tensors
    ]
    stored = (encode(values, dtype, name) for name, values in _dequantised(source, header))
    write(folder / "model.safetensors", entries, stored)


def family_of(meta: Mapping[str, Any]) -> Family:
    """How this architecture is rebuilt. Raises Refused where it or one of its numbers lacks."""
    architecture = meta.get("general.architecture")
    if not isinstance(architecture, str) or architecture not in FAMILIES:
        raise Refused(
            f"architecture {architecture!r} cannot be rebuilt from GGUF; "
            f"known: {', '.join(sorted(FAMILIES))}",
            remedy="name the safetensors model that the GGUF file was made from",
        )
    required = (*(f"{architecture}.{key}" for key in _REQUIRED), *_TOKENIZER)
    if gap := next((k for k in required if not meta.get(k)), None):
        raise Refused(f"the file's metadata has no {gap}")
    return FAMILIES[architecture]


def _config(header: gguf.Header) -> dict[str, Any]:
    meta = header.metadata
    names = {t.name for t in header.tensors}
    architecture = meta["general.architecture"]

    def of(key: str, default: Any = None) -> Any:
        return meta.get(f"{architecture}.{key}", default)

    heads = of("attention.head_count")
    config = {
        "architectures": [FAMILIES[architecture].model],
        "model_type": architecture,
        "hidden_act": "silu",
        "hidden_size": of("embedding_length"),
        "intermediate_size": of("feed_forward_length"),
        "num_hidden_layers": of("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": of("attention.head_count_kv", heads),
        "head_dim": of("attention.key_length", of("embedding_length") // heads),
        "max_position_embeddings": of("context_length"),
        "rms_norm_eps": of("attention.layer_norm_rms_epsilon"),
        "rope_theta": of("rope.freq_base", 10000.0),
        "attention_bias": any(n.endswith("attn_q.bias") for n in names),
        "mlp_bias": False,
        "tie_word_embeddings": "output.weight" not in names,
        "vocab_size": len(meta["tokenizer.ggml.tokens"]),
    }
    scaled = any(key.startswith(f"{architecture}.rope.scaling") for key in meta)
    if scaled or "rope_freqs.weight" in names:
        raise Refused("scaled rotary embeddings cannot be rebuilt from GGUF")
    for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("padding", "pad")):
        if (key := f"tokenizer.ggml.{ours}_token_id") in meta:
            config[f"{theirs}_token_id"] = meta[key]
    return config


def _dequantised(source: Path, header: gguf.Header) -> Iterator[tuple[str, Array]]:
    from gguf import GGMLQuantizationType  # noqa: PLC0415 - only in the deriving process
    from gguf.quants import dequantize  # noqa: PLC0415

    unpermute = _unpermute(header.metadata)
    data = np.memmap(source, dtype=np.uint8, mode="r")
    for tensor in header.tensors:
        raw = data[tensor.offset : tensor.offset + tensor.bytes]
        rows = raw.reshape(math.prod(tensor.shape[1:]), -1)
        values = dequantize(rows, GGMLQuantizationType[tensor.type])
        yield (
            tensor.name,
            unpermute(tensor.name, values.reshape(tuple(reversed(tensor.shape)))),
        )


def _unpermute(meta: Mapping[str, Any]) -> Callable[[str, Array], Array]:
    """Undo `LlamaModel.permute` of llama.cpp's converter: rows of each head were interleaved."""
    architecture = meta["general.architecture"]
    if not FAMILIES[architecture].permuted:
        return lambda _, values: values
    heads = int(meta[f"{architecture}.attention.head_count"])
    kv_heads = int(meta.get(f"{architecture}.attention.head_count_kv", heads))
    counts = {"attn_q": heads, "attn_k": kv_heads}

    def undo(name: str, values: Array) -> Array:
        match = _BLOCK.match(name)
        if not match or match[2] not in counts:
            return values
        count = counts[match[2]]
        half = values.shape[0] // count // 2
        split = values.reshape(count, half, 2, *values.shape[1:])
        return split.swapaxes(1, 2).reshape(values.shape)

    return undo


def _renamed(name: str, family: Family) -> str:
    if name in _TOP:
        return _TOP[name]
    match = _BLOCK.match(name)
    if not match or match[2] not in family.layers:
        raise Refused(f"tensor {name!r} is not part of a {family.model} as it is known here")
    return f"model.layers.{match[1]}.{family.layers[match[2]]}.{match[3]}"
