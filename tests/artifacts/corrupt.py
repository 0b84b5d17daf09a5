"""Corrupted model files, made from small sound ones: each with the code that it must be given.

`python -m tests.artifacts.corrupt FOLDER` writes them all, and `expected.json` beside them.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.artifacts.made import (
    CONFIG,
    METADATA,
    entry,
    float_tensors,
    gguf_bytes,
    hf_folder,
    hf_tensors,
    safetensors_bytes,
    text,
)

Entry = tuple[str, int, tuple[int, ...], int, int]
"""Of an APR index: name, dtype, shape, offset, size."""

W = ("w", 0, (2, 3), 0, 24)
V = ("v", 0, (2, 3), 0, 24)


def apr_bytes(
    entries: Sequence[Entry] = (V, ("w", 0, (2, 3), 64, 24)),
    metadata: bytes = b'{"model_type":"t"}',
    *,
    data: bytes | None = None,
    flags: int = 0x0400,
    footer: int | None = None,
    header: Mapping[str, Any] | None = None,
) -> bytes:
    """An APR v2 file; `header` overrides fields before its checksum is taken."""
    index = b"".join(apr_entry(*e) for e in entries)
    meta = metadata + bytes(-len(metadata) % 64)
    fields: dict[str, Any] = {
        "magic": b"APR\0", "major": 2, "minor": 0, "flags": flags, "count": len(entries),
        "metadata": 64, "size": len(metadata), "index": 64 + len(meta),
        "data": 64 + len(meta) + len(index) + -len(index) % 64, "reserved": bytes(20),
    }  # fmt: skip
    fields.update(header or {})
    reserved: bytes = fields.pop("reserved")
    start = struct.pack("<4sBBHIQIQQ", *fields.values())
    values = bytes(range(1, 65)) * len(entries) if data is None else data
    body = start + struct.pack("<I", zlib.crc32(start + reserved)) + reserved + meta
    body += index + bytes(-len(index) % 64) + values
    return body + struct.pack("<I", zlib.crc32(body) if footer is None else footer)


def apr_entry(name: str | bytes, dtype: int, shape: tuple[int, ...], at: int, size: int) -> bytes:
    raw = name if isinstance(name, bytes) else name.encode()
    dims = struct.pack(f"<BB{len(shape)}Q", dtype, len(shape), *shape)
    return struct.pack("<H", len(raw)) + raw + dims + struct.pack("<QQ", at, size)


def start(*, tensors: int = 0, keys: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def info(name: bytes, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    dims = struct.pack(f"<{len(shape)}Q", *shape)
    head = struct.pack("<Q", len(name)) + name + struct.pack("<I", len(shape))
    return head + dims + struct.pack("<IQ", kind, offset)


NORM = ("a.weight", (32,), 0, bytes(128))
NEXT = ("b.weight", (32,), 0, bytes(128))
ONE_KEY = start(keys=1) + text("k")
SOUND = gguf_bytes()
ENDLESS = start(keys=1) + text("k") + struct.pack("<IIQ", 9, 0, 2**63)
"""49 bytes: gguf 0.19's reader counts to 2**63."""


def bound(changes: Mapping[str, Any], tensors: Any = None) -> bytes:
    return gguf_bytes({**METADATA, **changes}, tensors)


def chat(template: str) -> bytes:
    return bound({"tokenizer.chat_template": template})


def zeroed(name: str, raw: bytes) -> list[Any]:
    return [(n, s, k, raw[:0] + (raw * len(r))[: len(r)] if n == name else r)
            for n, s, k, r in float_tensors()]  # fmt: skip


def boolean(value: int) -> bytes:
    return struct.pack("<IB", 7, value)


def outlier() -> list[Any]:
    name, shape, kind, raw = float_tensors()[0]
    return [(name, shape, kind, struct.pack("<f", 1e6) + raw[4:]), *float_tensors()[1:]]


Q4K = ("blk.0.x.weight", (64, 2), 6, bytes(88))

GGUF: dict[str, tuple[str, int | None, bytes]] = {
    "magic": ("FORMAT", 0, b"GGML" + SOUND[4:]),
    "version": ("GGUF-VERSION", 4, start(version=1) + bytes(64)),
    "big-endian": ("GGUF-ENDIAN", 4, b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + bytes(64)),
    "tensor-count": ("GGUF-COUNT", 8, start(tensors=2**63)),
    "key-count": ("GGUF-COUNT", 16, start(keys=2**40)),
    "endless-49-bytes": ("GGUF-TRUNCATED", 49, ENDLESS),
    "cut-header": ("GGUF-TRUNCATED", None, SOUND[:300]),
    "cut-data": ("GGUF-TRUNCATED", None, SOUND[:-200]),
    "long-text": ("GGUF-TRUNCATED", 45, ONE_KEY + struct.pack("<IQ", 8, 2**62)),
    "header-size": ("GGUF-HEADER-SIZE", 49, ONE_KEY + struct.pack("<IIQ", 9, 0, 70 << 20)
                    + bytes(71 << 20)),
    "empty-name": ("GGUF-NAME-LENGTH", 24, start(tensors=1) + info(b"", (32,)) + bytes(128)),
    "long-name": ("GGUF-NAME-LENGTH", 24, start(tensors=1) + info(b"n" * 65, (32,)) + bytes(128)),
    "utf8": ("GGUF-UTF8", 24, start(tensors=1) + info(b"\xff\xfe", (32,)) + bytes(128)),
    "value-type": ("GGUF-VALUE-TYPE", 33, ONE_KEY + struct.pack("<I", 77) + bytes(9)),
    "bool": ("GGUF-BOOL", 37, ONE_KEY + boolean(2) + bytes(30)),
    "array-depth": ("GGUF-ARRAY-DEPTH", None, ONE_KEY + struct.pack("<I", 9)
                    + struct.pack("<IQ", 9, 1) * 6 + bytes(64)),
    "key-twice": ("GGUF-DUPLICATE-KEY", 41, start(keys=2) + entry("k", 1) + entry("k", 2)
                  + bytes(64)),
    "tensor-twice": ("GGUF-DUPLICATE-TENSOR", None, gguf_bytes({}, [NORM, NORM])),
    "alignment": ("GGUF-ALIGNMENT", None, gguf_bytes({"general.alignment": 24}, [NORM])),
    "dims": ("GGUF-DIMS", 24, start(tensors=1) + info(b"a", (32, 0)) + bytes(128)),
    "tensor-type": ("GGUF-TENSOR-TYPE", 24, start(tensors=1) + info(b"a", (32,), 4) + bytes(128)),
    "blocks": ("GGUF-BLOCKS", 24, start(tensors=1) + info(b"a", (31,), 2) + bytes(128)),
    "overflow": ("GGUF-TRUNCATED", 24, start(tensors=1) + info(b"a", (2**32,) * 3) + bytes(128)),
    "offset": ("GGUF-OFFSET", 24, gguf_bytes({}, [NORM], offsets={"a.weight": 7})),
    "overlap": ("GGUF-OVERLAP", None, gguf_bytes({}, [NORM, NEXT], offsets={"b.weight": 64})),
    "gap": ("GGUF-GAP", None, gguf_bytes({}, [NORM, NEXT], offsets={"b.weight": 256})
            + bytes(128)),
    "trailing": ("GGUF-TRAILING", len(SOUND), SOUND + bytes(64)),
    "key": ("GGUF-KEY", None, bound({"llama.block_count": "one"})),
    "blocks-said": ("CONFIG-BLOCKS", None, bound({"llama.block_count": 2})),
    "vocabulary": ("CONFIG-VOCAB", None, bound({"tokenizer.ggml.tokens": list("abcdefghi")})),
    "eos": ("CONFIG-SPECIAL", None, bound({"tokenizer.ggml.eos_token_id": 8})),
    "heads": ("CONFIG-HEADS", None, bound({"llama.attention.head_count_kv": 3})),
    "rope": ("CONFIG-ROPE", None, bound({"llama.rope.dimension_count": 99})),
    "context": ("CONFIG-CONTEXT", None, bound({"llama.context_length": 0})),
    "epsilon": ("CONFIG-EPSILON", None, bound({"llama.attention.layer_norm_rms_epsilon": 1.0})),
    "shape": ("TENSOR-SHAPE", None, bound({"llama.feed_forward_length": 32})),
    "missing": ("TENSOR-MISSING", None, gguf_bytes(tensors=float_tensors()[:-1])),
    "nan": ("TENSOR-NONFINITE", None, gguf_bytes(
        tensors=zeroed("output_norm.weight", b"\x00\x00\xc0\x7f"))),
    "zero": ("TENSOR-ZERO", None, gguf_bytes(tensors=zeroed("output_norm.weight", b"\0"))),
    "outlier": ("TENSOR-OUTLIER-ROW", None, gguf_bytes(tensors=outlier())),
    "token-twice": ("TOKEN-DUPLICATE", None, bound({"tokenizer.ggml.tokens": list("aabcdefg")})),
    "no-bos": ("SPECIAL-MISSING", None, bound({"tokenizer.ggml.add_bos_token": boolean(1)})),
    "eos-type": ("SPECIAL-TYPE", None, bound({"tokenizer.ggml.token_type":
                 struct.pack("<IIQ8i", 9, 5, 8, *[1] * 8)})),
    "no-template": ("CHAT-MISSING", None, bound({"tokenizer.ggml.tokens":
                    ["<s>", "<|im_start|>", *"bcdefg"]})),
    "template-syntax": ("CHAT-SYNTAX", None, chat("{% for m in messages %}")),
    "template-fails": ("CHAT-RENDER", None, chat("{{ messages.nothing.at.all }}")),
    "template-floods": ("CHAT-ENDLESS", None, chat(
        "{% for i in range(99999) %}aaaaaaaaaaaaaaaaaaaa{% endfor %}")),
    "template-tokens": ("CHAT-TOKEN", None, chat("<|nobody|>{{ messages[0].content }}")),
    "file-type": ("MIX-DECLARED", None, bound({"general.file_type": 7})),
    "fallback": ("MIX-FALLBACK", None, bound({"general.file_type": 15}, [*float_tensors(), Q4K])),
}  # fmt: skip

PAIR = {"a": ("F32", (2, 3), bytes(range(1, 25))), "b": ("F16", (4,), bytes(range(1, 9)))}


def changed(**values: Any) -> bytes:
    sound = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    return safetensors_bytes(PAIR, a=sound | values)


SAFETENSORS: dict[str, tuple[str, int | None, bytes]] = {
    "header-length": ("ST-HEADER-LENGTH", 0, struct.pack("<Q", 2**60) + b"{}"),
    "json": ("ST-JSON", 8, struct.pack("<Q", 4) + b"{oop"),
    "twice": ("ST-DUPLICATE", 8, struct.pack("<Q", 15) + b'{"a":{},"a":{}}'),
    "entry": ("ST-ENTRY", 8, safetensors_bytes(PAIR, a=3)),
    "dtype": ("ST-DTYPE", 8, changed(dtype="F31")),
    "size": ("ST-SIZE", None, changed(shape=[2, 4])),
    "gap": ("ST-OFFSET", None, changed(data_offsets=[4, 28])),
    "cut": ("ST-TRUNCATED", None, safetensors_bytes(PAIR)[:-3]),
    "trailing": ("ST-TRAILING", len(safetensors_bytes(PAIR)), safetensors_bytes(PAIR) + b"more"),
}

SOUND_APR = apr_bytes()
APR: dict[str, tuple[str, int | None, bytes]] = {
    "magic": ("APR-MAGIC", 0, b"APR2" + SOUND_APR[4:]),
    "version-1": ("APR-VERSION", 0, b"APRN" + SOUND_APR[4:]),
    "tsp": ("APR-VERSION", 4, b"APR\0" + struct.pack("<I", 1) + SOUND_APR[8:]),
    "cut": ("APR-TRUNCATED", 40, SOUND_APR[:40]),
    "cut-data": ("APR-TRUNCATED", None, SOUND_APR[:-70]),
    "header-checksum": ("APR-HEADER-CHECKSUM", 40, SOUND_APR[:45] + b"x" + SOUND_APR[46:]),
    "column-major": ("APR-FLAGS", 6, apr_bytes(flags=0x0800)),
    "encrypted": ("APR-FLAGS", 6, apr_bytes(flags=0x0404)),
    "unknown-flag": ("APR-FLAGS", 6, apr_bytes(flags=0x8400)),
    "reserved": ("APR-RESERVED", 44, apr_bytes(header={"reserved": b"x" * 20})),
    "layout": ("APR-LAYOUT", 12, apr_bytes(header={"metadata": 128})),
    "index-place": ("APR-LAYOUT", 24, apr_bytes(header={"index": 192})),
    "data-place": ("APR-LAYOUT", 32, apr_bytes(header={"data": 200})),
    "metadata-size": ("APR-METADATA-SIZE", 20, apr_bytes(header={"size": 2**31})),
    "count": ("APR-COUNT", 8, apr_bytes(header={"count": 2**31})),
    "json": ("APR-JSON", 64, apr_bytes(metadata=b"{oops")),
    "key-twice": ("APR-DUPLICATE-KEY", 64, apr_bytes(metadata=b'{"a":1,"a":2}')),
    "shard": ("APR-SHARD", 64, apr_bytes(flags=0x0410)),
    "name": ("APR-NAME", 128, apr_bytes([("", 0, (2, 3), 0, 24)])),
    "utf8": ("APR-NAME", 130, apr_bytes([(b"\xff", 0, (2, 3), 0, 24)])),  # type: ignore[list-item]
    "dtype": ("APR-DTYPE", 131, apr_bytes([("w", 2, (2, 3), 0, 24)])),
    "dims": ("APR-DIMS", 128, apr_bytes([("w", 0, (2, 0), 0, 0)])),
    "overflow": ("APR-DIMS", 128, apr_bytes([("w", 0, (2**40, 2**40), 0, 24)])),
    "twice": ("APR-DUPLICATE", None, apr_bytes([W, ("w", 0, (2, 3), 64, 24)])),
    "order": ("APR-ORDER", None, apr_bytes([W, ("v", 0, (2, 3), 64, 24)])),
    "offset": ("APR-OFFSET", 128, apr_bytes([("w", 0, (2, 3), 4, 24)])),
    "size": ("APR-SIZE", 128, apr_bytes([("w", 0, (2, 3), 0, 20)])),
    "overlap": ("APR-OVERLAP", None, apr_bytes([V, W], data=bytes(64))),
    "trailing": ("APR-TRAILING", None, apr_bytes([W], data=bytes(192))),
    "checksum": ("APR-CHECKSUM", len(SOUND_APR) - 4, apr_bytes(footer=7)),
}


def folders(root: Path) -> dict[str, str]:
    """Safetensors folders that are wrong as a whole: the code by name."""
    made = {}

    def damaged(name: str, code: str, config: Mapping[str, Any] | None = None) -> Path:
        made[name] = code
        return hf_folder(root / name, config)

    (damaged("absent", "ST-MISSING") / "model.safetensors").unlink()
    (damaged("config", "CONFIG") / "config.json").write_text("{")
    (damaged("tokenizer", "TOKENIZER") / "tokenizer.json").unlink()
    damaged("special", "CONFIG-SPECIAL", CONFIG | {"eos_token_id": 99})
    damaged("size", "CONFIG-SIZE", CONFIG | {"num_hidden_layers": 0})
    folder = damaged("conflict", "TOKEN-CONFLICT")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [{"id": 3, "content": "<s>"}]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    for name, code, shard in (
        ("index", "ST-INDEX", "model-1.safetensors"),
        ("shard-name", "ST-SHARD-NAME", "../m.safetensors"),
        ("shard-missing", "ST-SHARD-MISSING", "model-2.safetensors"),
    ):
        folder = damaged(name, code)
        (folder / "model.safetensors").rename(folder / "model-1.safetensors")
        listed = dict.fromkeys(hf_tensors(), "model-1.safetensors") | {"more": shard}
        index = folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": listed}))
    (damaged("baseless", "ADAPTER-BASE") / "model.safetensors").rename(
        root / "baseless" / "adapter_model.safetensors"
    )
    pickled = root / "pickled"
    pickled.mkdir()
    (pickled / "pytorch_model.bin").write_bytes(b"PK\x03\x04 torch")
    return made | {"pickled": "PICKLE"}


def make(root: Path) -> dict[str, tuple[str, int | None]]:
    """Write every corrupted artifact; by name its code, and its offset where it is fixed."""
    root.mkdir(parents=True, exist_ok=True)
    made: dict[str, tuple[str, int | None]] = {}
    for form, files in (("gguf", GGUF), ("safetensors", SAFETENSORS), ("apr", APR)):
        for name, (code, offset, data) in files.items():
            (root / f"{form}-{name}").write_bytes(data)
            made[f"{form}-{name}"] = (code, offset)
    for name, data in {
        "pickle": b"\x80\x04cposix\nsystem\n",
        "archive": b"PK\x03\x04abcdef",
    }.items():
        (root / name).write_bytes(data)
        made[name] = ("PICKLE", 0)
    made |= {name: (code, None) for name, code in folders(root).items()}
    return made


if __name__ == "__main__":
    target = Path(sys.argv[1])
    (target.parent / "expected.json").write_text(json.dumps(make(target)))
