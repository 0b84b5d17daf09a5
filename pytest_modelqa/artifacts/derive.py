"""GGUF to a safetensors folder by dequantisation: the same model, every value as float32.

Run as `python -m pytest_modelqa.artifacts.derive MODEL.gguf FOLDER`, in a process of its own. The
weights are gguf's own dequantisation of each block; float32 holds them exactly. llama.cpp stores
the rows of Q and K of the llama family in another order for its rotary embedding; that is undone.
"""

from __future__ import annotations

import json
import math
import re
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.names import LAYER_NAMES
from pytest_modelqa.artifacts.tokenizer import tokenizer_config, tokenizer_json
from pytest_modelqa.core.errors import ExitCode, ModelQAError, Refused

_TOP = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_REQUIRED = (
    "llama.block_count",
    "llama.embedding_length",
    "llama.feed_forward_length",
    "llama.context_length",
    "llama.attention.head_count",
    "llama.attention.layer_norm_rms_epsilon",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.merges",
)
_BLOCK = re.compile(r"^blk\.(\d+)\.(\w+)\.(weight|bias)$")

Array = NDArray[np.float32]


def derive(source: Path, folder: Path) -> None:
    """Write model.safetensors, config.json and the tokenizer. Raises Refused, OSError."""
    header = gguf.read(source)
    if header.findings:
        first = header.findings[0]
        raise Refused(f"{first.code} {first.where}: {first.message}", where=str(source))
    if (architecture := header.metadata.get("general.architecture")) != "llama":
        raise Refused(f"architecture {architecture!r} is not derived yet; llama is")
    if gap := next((k for k in _REQUIRED if not header.metadata.get(k)), None):
        raise Refused(f"the file's metadata has no {gap}")
    config = _config(header)
    for name, content in (
        ("config.json", config),
        ("generation_config.json", {k: v for k, v in config.items() if k.endswith("_token_id")}),
        ("tokenizer.json", tokenizer_json(header.metadata)),
        ("tokenizer_config.json", tokenizer_config(header.metadata)),
    ):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    _write(folder / "model.safetensors", source, header)


def _config(header: gguf.Header) -> dict[str, Any]:
    meta = header.metadata
    names = {t.name for t in header.tensors}

    def of(key: str, default: Any = None) -> Any:
        return meta.get(f"llama.{key}", default)

    heads = of("attention.head_count")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
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
        "dtype": "float32",
    }
    if any(key.startswith("llama.rope.scaling") for key in meta) or "rope_freqs.weight" in names:
        raise Refused("scaled rotary embeddings are not derived yet")
    for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("padding", "pad")):
        if (key := f"tokenizer.ggml.{ours}_token_id") in meta:
            config[f"{theirs}_token_id"] = meta[key]
    return config


def _write(file: Path, source: Path, header: gguf.Header) -> None:
    """Stream tensor by tensor: memory stays at the largest one, whatever the model's size."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in header.tensors:
        shape = list(reversed(tensor.shape))
        length = 4 * math.prod(shape)
        offsets = [end, end + length]
        entries[_renamed(tensor.name)] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        end += length
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for values in _dequantised(source, header):
            out.write(np.ascontiguousarray(values, dtype="<f4").data)


def _dequantised(source: Path, header: gguf.Header) -> Iterator[Array]:
    from gguf import GGMLQuantizationType  # noqa: PLC0415 - only in the deriving process
    from gguf.quants import dequantize  # noqa: PLC0415

    unpermute = _unpermute(header.metadata)
    data = np.memmap(source, dtype=np.uint8, mode="r")
    for tensor in header.tensors:
        raw = data[tensor.offset : tensor.offset + tensor.bytes]
        rows = raw.reshape(math.prod(tensor.shape[1:]), -1)
        values = dequantize(rows, GGMLQuantizationType[tensor.type])
        yield unpermute(tensor.name, values.reshape(tuple(reversed(tensor.shape))))


def _unpermute(meta: Mapping[str, Any]) -> Callable[[str, Array], Array]:
    """Undo `LlamaModel.permute` of llama.cpp's converter: rows of each head were interleaved."""
    heads = int(meta["llama.attention.head_count"])
    counts = {"attn_q": heads, "attn_k": int(meta.get("llama.attention.head_count_kv", heads))}

    def undo(name: str, values: Array) -> Array:
        match = _BLOCK.match(name)
        if not match or match[2] not in counts:
            return values
        count = counts[match[2]]
        half = values.shape[0] // count // 2
        split = values.reshape(count, half, 2, *values.shape[1:])
        return split.swapaxes(1, 2).reshape(values.shape)

    return undo


def _renamed(name: str) -> str:
    if name in _TOP:
        return _TOP[name]
    match = _BLOCK.match(name)
    if not match or match[2] not in LAYER_NAMES:
        raise Refused(f"tensor {name!r} is not part of a llama model as it is known here")
    return f"model.layers.{match[1]}.{LAYER_NAMES[match[2]]}.{match[3]}"


def main(argv: list[str]) -> int:
    """The command line of the deriving process; the last line of stderr says what went wrong."""
    try:
        derive(Path(argv[0]), Path(argv[1]))
    except ModelQAError as error:
        sys.stderr.write(f"{error.what}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.OUTPUT
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
