"""Safetensors folders as APR v2 files, bit by bit, and back.

Layout: 64 bytes of header, JSON metadata, the index sorted by name, the data; each section and
each tensor starts at a multiple of 64; the CRC-32 of everything before ends the file. The header's
own CRC-32 covers its other 60 bytes. config.json and the tokenizer's files are kept in the
metadata under `modelqa_files`, so that the way back restores them byte by byte.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pytest_modelqa.artifacts import safetensors
from pytest_modelqa.artifacts.convert.kinds import SIDE_FILES
from pytest_modelqa.artifacts.convert.tensors import raw
from pytest_modelqa.core.errors import Refused

FILES_KEY = "modelqa_files"
ALIGNMENT = 64
ROW_MAJOR = 0x0400
DTYPE_IDS = {"F32": 0, "F16": 1, "F64": 3, "I32": 4, "I64": 5, "I8": 6, "U8": 7, "BF16": 30}
MAX_METADATA_BYTES = 16 << 20
MAX_NAME_BYTES = 256
MAX_DIMS = 8
_PLAIN_BYTES = 1 << 20
"""A kept file larger than this is deflated, so that metadata stays under the format's limit."""
_CHUNK = 16 << 20

_FROM_CONFIG = {
    "architecture": "model_type",
    "hidden_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "num_kv_heads": "num_key_value_heads",
    "vocab_size": "vocab_size",
    "intermediate_size": "intermediate_size",
    "max_position_embeddings": "max_position_embeddings",
    "rope_theta": "rope_theta",
    "rms_norm_eps": "rms_norm_eps",
    "head_dim": "head_dim",
}
_UNSET = (
    "name", "description", "author", "license", "version", "source", "created_at", "quantization",
    "sharding", "chat_format", "special_tokens",
)  # fmt: skip


def pack(source: Path, file: Path) -> None:
    """Write the APR file of a sound safetensors folder. Raises Refused for what APR cannot hold."""
    tensors = sorted(safetensors.read_folder(source).tensors, key=lambda t: t.name.encode())
    for tensor in tensors:
        _holdable(tensor)
    metadata = json.dumps(_metadata(source, tensors), separators=(",", ":")).encode()
    if len(metadata) > MAX_METADATA_BYTES:
        raise Refused(
            f"metadata of {len(metadata):,} bytes; APR holds {MAX_METADATA_BYTES:,}",
            remedy="remove vocabulary files that repeat tokenizer.json",
        )
    index = _index(tensors)
    places = (len(metadata), ALIGNMENT + _aligned(len(metadata)))
    with file.open("wb") as out:
        crc = _put(out, _header(len(tensors), places, places[1] + _aligned(len(index))), 0)
        crc = _put(out, metadata, crc)
        crc = _put(out, index, crc)
        for tensor in tensors:
            crc = _put(out, raw(tensor).data, crc)
        out.write(struct.pack("<I", crc))


def _holdable(tensor: safetensors.Tensor) -> None:
    size = len(tensor.name.encode())
    if tensor.type not in DTYPE_IDS:
        problem = f"its type is {tensor.type}; APR has {', '.join(DTYPE_IDS)}"
    elif size > MAX_NAME_BYTES:
        problem = f"its name has {size} bytes; APR has room for {MAX_NAME_BYTES}"
    elif len(tensor.shape) > MAX_DIMS:
        problem = f"it has {len(tensor.shape)} dimensions; APR has up to {MAX_DIMS}"
    elif not tensor.bytes:
        problem = "it holds no weights"
    else:
        return
    raise Refused(f"tensor {tensor.name[:80]} does not fit APR: {problem}")


def _header(count: int, places: tuple[int, int], data: int) -> bytes:
    """The 64 bytes: counts and offsets, with the CRC-32 of all but itself at byte 40."""
    start = struct.pack(
        "<4sBBHIQIQQ", b"APR\0", 2, 0, ROW_MAJOR, count, ALIGNMENT, places[0], places[1], data
    )
    reserved = bytes(20)
    return start + struct.pack("<I", zlib.crc32(start + reserved)) + reserved


def _index(tensors: Sequence[safetensors.Tensor]) -> bytes:
    parts = []
    at = 0
    for tensor in tensors:
        name = tensor.name.encode()
        parts.append(
            struct.pack("<H", len(name))
            + name
            + struct.pack("<BB", DTYPE_IDS[tensor.type], len(tensor.shape))
            + struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape)
            + struct.pack("<QQ", at, tensor.bytes)
        )
        at += _aligned(tensor.bytes)
    return b"".join(parts)


def _put(out: BinaryIO, data: bytes | memoryview, crc: int) -> int:
    """Write a section and its padding; the CRC-32 so far."""
    view = memoryview(data)
    for start in range(0, len(view), _CHUNK):
        piece = view[start : start + _CHUNK]
        out.write(piece)
        crc = zlib.crc32(piece, crc)
    padding = bytes(_aligned(len(view)) - len(view))
    out.write(padding)
    return zlib.crc32(padding, crc)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _metadata(source: Path, tensors: Sequence[safetensors.Tensor]) -> dict[str, Any]:
    config = _json(source / "config.json")
    template = _json(source / "tokenizer_config.json").get("chat_template")
    weights = sum(t.bytes // safetensors.DTYPES[t.type] for t in tensors)
    return {
        **dict.fromkeys(_UNSET),
        **{ours: config.get(theirs) for ours, theirs in _FROM_CONFIG.items()},
        "model_type": config.get("model_type", "unknown"),
        "original_format": "safetensors",
        "total_size": sum(t.bytes for t in tensors),
        "param_count": weights,
        "chat_template": template if isinstance(template, str) else None,
        "rope_type": 2,
        FILES_KEY: {
            name: _kept((source / name).read_bytes())
            for name in SIDE_FILES
            if (source / name).is_file()
        },
    }


def _json(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _kept(content: bytes) -> dict[str, str]:
    if len(content) <= _PLAIN_BYTES:
        try:
            return {"text": content.decode()}
        except UnicodeDecodeError:
            pass  # sentencepiece models are binary
    return {"deflated": base64.b64encode(zlib.compress(content, 9)).decode()}
