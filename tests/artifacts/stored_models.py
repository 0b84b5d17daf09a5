"""A small llama with random weights, written as GGUF or safetensors the way its converter would.

Tensors are held as float32 in torch order, under canonical (GGUF's) names.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from numpy.typing import NDArray

from pytest_modelqa.artifacts.differential.naming import interleaved

Floats = NDArray[np.float32]
Weights = dict[str, Floats]

WIDTH, INNER, HEADS, KEYS, LAYERS, VOCABULARY = 128, 256, 4, 2, 3, 384
HEAD = WIDTH // HEADS

HF = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH,
    "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "num_key_value_heads": KEYS, "head_dim": HEAD, "vocab_size": VOCABULARY,
    "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False, "hidden_act": "silu",
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip

METADATA: dict[str, Any] = {
    "block_count": LAYERS, "context_length": 512, "embedding_length": WIDTH,
    "feed_forward_length": INNER, "attention.head_count": HEADS, "attention.head_count_kv": KEYS,
    "attention.layer_norm_rms_epsilon": 1e-5, "rope.freq_base": 10000.0,
    "rope.dimension_count": HEAD, "vocab_size": VOCABULARY,
}  # fmt: skip


def weights(seed: int = 0) -> Weights:
    """A tied model: matrices of N(0, 0.05), norms about 1."""
    rng = np.random.default_rng(seed)

    def matrix(rows: int, cols: int) -> Floats:
        return rng.normal(0, 0.05, (rows, cols)).astype(np.float32)

    def norm() -> Floats:
        return rng.normal(1, 0.2, WIDTH).astype(np.float32)

    made = {"token_embd.weight": matrix(VOCABULARY, WIDTH), "output_norm.weight": norm()}
    for layer in range(LAYERS):
        made |= {
            f"blk.{layer}.attn_norm.weight": norm(),
            f"blk.{layer}.attn_q.weight": matrix(WIDTH, WIDTH),
            f"blk.{layer}.attn_k.weight": matrix(KEYS * HEAD, WIDTH),
            f"blk.{layer}.attn_v.weight": matrix(KEYS * HEAD, WIDTH),
            f"blk.{layer}.attn_output.weight": matrix(WIDTH, WIDTH),
            f"blk.{layer}.ffn_norm.weight": norm(),
            f"blk.{layer}.ffn_gate.weight": matrix(INNER, WIDTH),
            f"blk.{layer}.ffn_up.weight": matrix(INNER, WIDTH),
            f"blk.{layer}.ffn_down.weight": matrix(WIDTH, INNER),
        }
    return made


def hf_name(name: str) -> str:
    """transformers' name of a canonical one."""
    head, _, end = name.rpartition(".")
    if head in TOP:
        return f"{TOP[head]}.{end}"
    _, layer, part = head.split(".")
    return f"model.layers.{layer}.{HF[part]}.{end}"


def permuted(name: str, values: Floats) -> Floats:
    """Rows of Q and K as GGUF has them."""
    if not name.endswith(("attn_q.weight", "attn_k.weight")):
        return values
    stored = np.argsort(interleaved(HEAD))
    return values.reshape(-1, HEAD, values.shape[1])[:, stored].reshape(values.shape)


def gguf_file(
    path: Path,
    tensors: Mapping[str, Floats],
    kind: str = "F32",
    *,
    order: Callable[[str, Floats], Floats] = permuted,
    metadata: Mapping[str, Any] | None = None,
    architecture: str = "llama",
    kinds: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Path:
    """Write a GGUF file; norms are always F32.

    `kinds` are types of single tensors; `labels` are types that single tensors are said to have.
    """
    writer = GGUFWriter(path, architecture)
    for key, value in (METADATA | dict(metadata or {})).items():
        full = key if key.startswith(("tokenizer.", "general.")) else f"{architecture}.{key}"
        if isinstance(value, bool):
            writer.add_bool(full, value)
        elif isinstance(value, float):
            writer.add_float32(full, value)
        elif isinstance(value, int):
            writer.add_uint32(full, value)
        elif isinstance(value, list):
            writer.add_array(full, value)
        else:
            writer.add_string(full, value)
    for name, values in tensors.items():
        stored = order(name, values)
        own = "F32" if values.ndim == 1 else (kinds or {}).get(name, kind)
        raw = np.ascontiguousarray(quantize(stored, GGMLQuantizationType[own]))
        label = GGMLQuantizationType[(labels or {}).get(name, own)]
        rows = raw.view(np.uint8).reshape(*stored.shape[:-1], -1)
        writer.add_tensor(name, rows, raw_dtype=label)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def hf_folder(
    folder: Path,
    tensors: Mapping[str, Floats],
    dtype: str = "F32",
    *,
    shards: int = 1,
    config: Mapping[str, Any] | None = None,
    tokenizer_config: Mapping[str, Any] | None = None,
) -> Path:
    """Write a safetensors folder in one or several files."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | dict(config or {})))
    if tokenizer_config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    names = list(tensors)
    where: dict[str, str] = {}
    for shard in range(shards):
        file = "model.safetensors" if shards == 1 else f"model-{shard + 1:05}.safetensors"
        held = {hf_name(n): tensors[n] for n in names[shard::shards]}
        where |= dict.fromkeys(held, file)
        (folder / file).write_bytes(_safetensors(held, dtype))
    if shards > 1:
        index = {"metadata": {}, "weight_map": where}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def _safetensors(held: Mapping[str, Floats], dtype: str) -> bytes:
    header: dict[str, Any] = {}
    data = b""
    for name, values in held.items():
        raw = _stored(values, dtype)
        header[name] = {
            "dtype": dtype,
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _stored(values: Floats, dtype: str) -> bytes:
    if dtype == "BF16":
        bits = values.astype("<f4").view("<u4")
        return bytes(((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes())
    return bytes(values.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes())
