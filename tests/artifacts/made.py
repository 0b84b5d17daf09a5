"""Small model files, written byte by byte, so that each byte can be wrong."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Tensors = Sequence[tuple[str, tuple[int, ...], int, bytes]]

WIDTH, INNER, VOCABULARY = 32, 64, 8


def text(value: str) -> bytes:
    """A GGUF string."""
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, value: Any) -> bytes:
    """A GGUF key-value pair; int becomes uint32, list an array of texts."""
    if isinstance(value, bytes):
        return text(key) + value
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    if isinstance(value, list):
        items = b"".join(text(v) for v in value)
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + items
    return text(key) + struct.pack("<II", 4, value)


METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 1,
    "llama.embedding_length": WIDTH,
    "llama.feed_forward_length": INNER,
    "llama.attention.head_count": 2,
    "llama.attention.head_count_kv": 1,
    "llama.context_length": 128,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": ["<s>", "a", "b", "c", "d", "e", "ab", "cd"],
    "tokenizer.ggml.merges": ["a b", "c d"],
    "tokenizer.ggml.eos_token_id": 0,
}

SHAPES = {
    "token_embd": (WIDTH, VOCABULARY),
    "output_norm": (WIDTH,),
    "blk.0.attn_norm": (WIDTH,),
    "blk.0.attn_q": (WIDTH, 32),
    "blk.0.attn_k": (WIDTH, 16),
    "blk.0.attn_v": (WIDTH, 16),
    "blk.0.attn_output": (32, WIDTH),
    "blk.0.ffn_norm": (WIDTH,),
    "blk.0.ffn_gate": (WIDTH, INNER),
    "blk.0.ffn_up": (WIDTH, INNER),
    "blk.0.ffn_down": (INNER, WIDTH),
}


def values(name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The tensor's float32 values in torch order; different for every name."""
    shape = tuple(reversed(SHAPES[name]))
    seed = sum(name.encode())
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def float_tensors() -> list[tuple[str, tuple[int, ...], int, bytes]]:
    """All tensors of a one-layer llama as F32."""
    return [(f"{n}.weight", s, 0, values(n).tobytes()) for n, s in SHAPES.items()]


def gguf_bytes(
    metadata: Mapping[str, Any] | None = None,
    tensors: Tensors | None = None,
    *,
    version: int = 3,
    alignment: int = 32,
    offsets: Mapping[str, int] | None = None,
) -> bytes:
    """A whole file. `offsets` overrides where a tensor is said to lie, relative to the data."""
    metadata = METADATA if metadata is None else metadata
    tensors = float_tensors() if tensors is None else tensors
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(entry(k, v) for k, v in metadata.items())
    data = b""
    for name, shape, kind, raw in tensors:
        at = (offsets or {}).get(name, len(data))
        head += text(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, at)
        data += raw + bytes(-len(raw) % alignment)
    return head + bytes(-len(head) % alignment) + data


def safetensors_bytes(
    tensors: Mapping[str, tuple[str, tuple[int, ...], bytes]], **changes: Any
) -> bytes:
    """A file of (dtype, shape, bytes) by name; `changes` replaces entries of the header."""
    header: dict[str, Any] = {}
    data = b""
    for name, (dtype, shape, raw) in tensors.items():
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": offsets}
        data += raw
    head = json.dumps(header | changes).encode()
    return struct.pack("<Q", len(head)) + head + data


HF_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "blk.0.attn_norm": "model.layers.0.input_layernorm",
    "blk.0.attn_q": "model.layers.0.self_attn.q_proj",
    "blk.0.attn_k": "model.layers.0.self_attn.k_proj",
    "blk.0.attn_v": "model.layers.0.self_attn.v_proj",
    "blk.0.attn_output": "model.layers.0.self_attn.o_proj",
    "blk.0.ffn_norm": "model.layers.0.post_attention_layernorm",
    "blk.0.ffn_gate": "model.layers.0.mlp.gate_proj",
    "blk.0.ffn_up": "model.layers.0.mlp.up_proj",
    "blk.0.ffn_down": "model.layers.0.mlp.down_proj",
}

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": VOCABULARY,
    "tie_word_embeddings": True,
}


def hf_tensors() -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """The same model under its transformers names, F32."""
    return {
        f"{HF_NAMES[n]}.weight": ("F32", tuple(reversed(s)), values(n).tobytes())
        for n, s in SHAPES.items()
    }


def hf_folder(folder: Path, config: Mapping[str, Any] | None = None) -> Path:
    """A whole safetensors folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(safetensors_bytes(hf_tensors()))
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    vocabulary = {token: i for i, token in enumerate(METADATA["tokenizer.ggml.tokens"])}
    tokenizer = {"model": {"type": "BPE", "vocab": vocabulary}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder
