"""GGUF files in parts, so that a mutation lands behind the checks that a random byte dies at.

Layout: ggml's `docs/gguf.md`. What is written here is what was asked for, however wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from suites.fuzz.byte_edits import EXTREMES
from suites.fuzz.byte_edits import edited as edited_bytes
from suites.fuzz.files import Files

NAME = "model.gguf"
_U32, _F32, _BOOL, _STRING, _ARRAY, _U64 = 4, 6, 7, 8, 9, 10
_WIDTH, _INNER = 32, 64
_TOKENS = ["<s>", "</s>", "a", "b", "c", "d", "ab", "cd"]


@dataclass(slots=True)
class Pair:
    """A key with its value, as bytes behind the number of its type."""

    key: bytes
    kind: int
    value: bytes


@dataclass(slots=True)
class Info:
    """A tensor's entry; `offset` counts from the data."""

    name: bytes
    shape: list[int]
    kind: int
    offset: int


@dataclass(slots=True)
class Gguf:
    """A file in parts. The counts are those of the lists unless `counts` says otherwise."""

    version: int = 3
    pairs: list[Pair] = field(default_factory=list)
    infos: list[Info] = field(default_factory=list)
    data: bytes = b""
    alignment: int = 32
    counts: tuple[int, int] | None = None

    def copied(self) -> Gguf:
        """A copy whose parts can be edited."""
        pairs = [replace(p) for p in self.pairs]
        infos = [replace(i, shape=list(i.shape)) for i in self.infos]
        return replace(self, pairs=pairs, infos=infos)

    def written(self) -> bytes:
        """The bytes of the file."""
        counts = self.counts or (len(self.infos), len(self.pairs))
        head = b"GGUF" + struct.pack("<IQQ", self.version, *counts)
        head += b"".join(text(p.key) + struct.pack("<I", p.kind) + p.value for p in self.pairs)
        for info in self.infos:
            head += text(info.name) + struct.pack("<I", len(info.shape))
            head += struct.pack(f"<{len(info.shape)}Q", *(n % (1 << 64) for n in info.shape))
            head += struct.pack("<IQ", info.kind % (1 << 32), info.offset % (1 << 64))
        return head + bytes(-len(head) % self.alignment) + self.data


def text(raw: bytes) -> bytes:
    """A GGUF string."""
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, value: Any) -> Pair:
    """A pair from a Python value: texts, numbers, truth values, lists of texts or of numbers."""
    kind, raw = _value(value)
    return Pair(key.encode(), kind, raw)


def _value(value: Any) -> tuple[int, bytes]:
    if isinstance(value, bool):
        return _BOOL, struct.pack("<B", value)
    if isinstance(value, int):
        return (_U32, struct.pack("<I", value)) if value < 1 << 32 else (_U64, _u64(value))
    if isinstance(value, float):
        return _F32, struct.pack("<f", value)
    if isinstance(value, str):
        return _STRING, text(value.encode())
    kinds = [_value(item) for item in value]
    head = struct.pack("<IQ", kinds[0][0] if kinds else _STRING, len(kinds))
    return _ARRAY, head + b"".join(raw for _, raw in kinds)


def _u64(value: int) -> bytes:
    return struct.pack("<Q", value % (1 << 64))


METADATA: Mapping[str, Any] = {
    "general.architecture": "llama",
    "general.file_type": 0,
    "llama.block_count": 1,
    "llama.embedding_length": _WIDTH,
    "llama.feed_forward_length": _INNER,
    "llama.attention.head_count": 2,
    "llama.attention.head_count_kv": 1,
    "llama.context_length": 128,
    "llama.rope.freq_base": 10_000.0,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.ggml.tokens": _TOKENS,
    "tokenizer.ggml.token_type": [3, 3, 1, 1, 1, 1, 1, 1],
    "tokenizer.ggml.scores": [0.0] * len(_TOKENS),
    "tokenizer.ggml.bos_token_id": 0,
    "tokenizer.ggml.eos_token_id": 1,
    "tokenizer.ggml.add_bos_token": False,
}
_SHAPES = {
    "token_embd": [_WIDTH, len(_TOKENS)],
    "output_norm": [_WIDTH],
    "blk.0.attn_norm": [_WIDTH],
    "blk.0.attn_q": [_WIDTH, _WIDTH],
    "blk.0.attn_k": [_WIDTH, 16],
    "blk.0.attn_v": [_WIDTH, 16],
    "blk.0.attn_output": [_WIDTH, _WIDTH],
    "blk.0.ffn_norm": [_WIDTH],
    "blk.0.ffn_gate": [_WIDTH, _INNER],
    "blk.0.ffn_up": [_WIDTH, _INNER],
    "blk.0.ffn_down": [_INNER, _WIDTH],
}
_F32_TYPE, _Q8_0_TYPE = 0, 8


def model(*, quantised: bool = False) -> Gguf:
    """A sound Llama of one layer; its matrices as F32, or as Q8_0."""
    made = Gguf(pairs=[pair(k, v) for k, v in METADATA.items()])
    if quantised:
        made.pairs[1] = pair("general.file_type", 7)
    for name, shape in _SHAPES.items():
        raw = _blocks(shape) if quantised and len(shape) > 1 else _floats(shape)
        kind = _Q8_0_TYPE if quantised and len(shape) > 1 else _F32_TYPE
        made.infos.append(Info(f"{name}.weight".encode(), list(shape), kind, len(made.data)))
        made.data += raw + bytes(-len(raw) % made.alignment)
    return made


def _count(shape: list[int]) -> int:
    return shape[0] * (shape[1] if len(shape) > 1 else 1)


def _floats(shape: list[int]) -> bytes:
    return struct.pack("<f", 0.5) * _count(shape)


def _blocks(shape: list[int]) -> bytes:
    return (struct.pack("<e", 0.25) + bytes(range(32))) * (_count(shape) // 32)


def small() -> Gguf:
    """Little more than a header: arrays of every kind, and one tensor."""
    made = Gguf(version=2, data=_floats([4]) + bytes(16))
    made.pairs = [
        pair("general.architecture", "other"),
        pair("general.alignment", 32),
        pair("other.block_count", 0),
        pair("a.truth", [True, False]),
        pair("a.texts", ["x", "", "\u00e9"]),
        pair("a.big", 1 << 40),
        Pair(b"a.nested", _ARRAY, struct.pack("<IQ", _ARRAY, 2) + 2 * _value([1, 2])[1]),
    ]
    made.infos = [Info(b"t", [4], 0, 0)]
    return made


def seeds() -> tuple[Files, ...]:
    """The sound files that mutations start from."""
    return tuple({NAME: made.written()} for made in _MODELS)


_MODELS = (model(), model(quantised=True), small())
Edit = Callable[[Random, Gguf], None]


def _counts(dice: Random, made: Gguf) -> None:
    counts = [len(made.infos), len(made.pairs)]
    counts[dice.randrange(2)] = dice.choice((*EXTREMES, 100_000, 100_001))
    made.counts = counts[0], counts[1]


def _kind(dice: Random, made: Gguf) -> None:
    dice.choice(made.pairs).kind = dice.choice((*range(14), 255, 1 << 31))


def _value_bytes(dice: Random, made: Gguf) -> None:
    found = dice.choice(made.pairs)
    found.value = edited_bytes(dice, found.value, 2)


def _other_value(dice: Random, made: Gguf) -> None:
    """A well-formed value of another type: this is what the comparison with tensors meets."""
    found = dice.choice(made.pairs)
    values: tuple[Any, ...] = (
        0, 1, True, 3, 1 << 31, 1 << 63, (1 << 64) - 1, -0.0, 1e-7, float("nan"), 1e38, "", "x",
        "llama", "gemma2", [], [1], [1.5], ["a"], [True], [0] * 9, ["a"] * 8,
    )  # fmt: skip
    found.kind, found.value = _value(dice.choice(values))


def _nest(dice: Random, made: Gguf) -> None:
    found = dice.choice(made.pairs)
    for _ in range(dice.choice((1, 3, 4, 5, 200))):
        found.value = struct.pack("<IQ", found.kind if found.kind < 13 else 9, 1) + found.value
        found.kind = _ARRAY


def _key(dice: Random, made: Gguf) -> None:
    found = dice.choice(made.pairs)
    other = dice.choice(made.pairs).key
    keys = (
        other, b"", b"\xff\xfe", found.key + b"x", b"k" * 65_536, b"general.alignment",
        b"llama.expert_count", b"llama.attention.key_length", b"llama.rope.dimension_count",
    )  # fmt: skip
    found.key = dice.choice(keys)


def _alignment(dice: Random, made: Gguf) -> None:
    value = dice.choice((0, 1, 7, 8, 16, 24, 64, 4096, 1 << 31, "32", [32], True, 32.0, 1 << 63))
    made.pairs.append(pair("general.alignment", value))


def _shape(dice: Random, made: Gguf) -> None:
    found = dice.choice(made.infos)
    if dice.random() < 0.3:
        found.shape = found.shape * dice.choice((0, 2, 3, 9))
    elif found.shape:
        found.shape[dice.randrange(len(found.shape))] = dice.choice(EXTREMES)


def _type(dice: Random, made: Gguf) -> None:
    dice.choice(made.infos).kind = dice.choice((*range(42), 255, 1 << 31))


def _offset(dice: Random, made: Gguf) -> None:
    found = dice.choice(made.infos)
    found.offset = dice.choice((*EXTREMES, found.offset + 32, found.offset - 32, found.offset + 1))


def _tensor_name(dice: Random, made: Gguf) -> None:
    found = dice.choice(made.infos)
    other = dice.choice(made.infos).name
    names = (
        other, b"", b"\xff", b"n" * 64, b"n" * 65, b"blk.999999.attn_q.weight",
        b"blk.1.attn_q.weight", b"x\n\x1b[31m",
    )  # fmt: skip
    found.name = dice.choice(names)


def _drop(dice: Random, made: Gguf) -> None:
    listed: list[Any] = dice.choice((made.pairs, made.infos))
    if len(listed) > 1:
        del listed[dice.randrange(len(listed))]


def _data(dice: Random, made: Gguf) -> None:
    if made.data:
        made.data = edited_bytes(dice, made.data, 2)


def _values(dice: Random, made: Gguf) -> None:
    """NaN, Inf and zeros where weights are."""
    raw = bytearray(made.data)
    special = (0x7FC00000, 0x7F800000, 0xFF800000, 1, 0, 0x7F7FFFFF)
    for _ in range(8):
        at = 4 * dice.randrange(max(1, len(raw) // 4))
        raw[at : at + 4] = struct.pack("<I", dice.choice(special))
    made.data = bytes(raw)


def _version(dice: Random, made: Gguf) -> None:
    made.version = dice.choice((0, 1, 2, 3, 4, 1 << 24, 3 << 24, 0xFFFFFFFF))


EDITS: tuple[Edit, ...] = (
    _counts, _kind, _value_bytes, _other_value, _other_value, _other_value, _nest, _key,
    _alignment, _shape, _type, _offset, _tensor_name, _drop, _data, _values, _version,
)  # fmt: skip
_RAW_SHARE = 0.15


def mutated(dice: Random, models: Sequence[Gguf] = _MODELS) -> Files:
    """One mutated file, of one of the models."""
    made = dice.choice(models).copied()
    for _ in range(dice.randint(1, 3)):
        dice.choice(EDITS)(dice, made)
    data = made.written()
    if dice.random() < _RAW_SHARE:
        data = edited_bytes(dice, data)
    return {NAME: data}
