"""APR v2 files in parts, with checksums that agree: without them every mutation dies at the first.

Layout: the seed's description of the format; see `pytest_modelqa/artifacts/apr.py`.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from suites.fuzz import tree_edits
from suites.fuzz.byte_edits import EXTREMES
from suites.fuzz.byte_edits import edited as edited_bytes
from suites.fuzz.files import Files
from suites.fuzz.safetensors_files import CONFIG, SHAPES

NAME = "model.apr"
_ROW_MAJOR = 0x0400
_ALIGNMENT = 64


@dataclass(slots=True)
class Entry:
    """An entry of the index."""

    name: bytes
    dtype: int
    shape: list[int]
    offset: int
    size: int

    def written(self) -> bytes:
        """Its bytes."""
        head = struct.pack("<H", len(self.name) % (1 << 16)) + self.name
        head += struct.pack("<BB", self.dtype % 256, len(self.shape) % 256)
        head += b"".join(struct.pack("<Q", n % (1 << 64)) for n in self.shape)
        return head + struct.pack("<QQ", self.offset % (1 << 64), self.size % (1 << 64))


@dataclass(slots=True)
class Apr:
    """A file in parts. `changes` overrides numbers of the header by their place in it."""

    metadata: Any
    entries: list[Entry] = field(default_factory=list)
    data: bytes = b""
    flags: int = _ROW_MAJOR
    version: tuple[int, int] = (2, 0)
    reserved: bytes = bytes(20)
    changes: dict[int, int] = field(default_factory=dict)
    checksums: tuple[bool, bool] = (True, True)

    def copied(self) -> Apr:
        """A copy whose parts can be edited."""
        entries = [replace(e, shape=list(e.shape)) for e in self.entries]
        metadata = tree_edits.cloned(self.metadata)
        return replace(self, metadata=metadata, entries=entries, changes=dict(self.changes))

    def written(self, dice: Random | None = None) -> bytes:
        """The bytes of the file, with true checksums unless told otherwise."""
        meta = tree_edits.text(dice, self.metadata) if dice else json.dumps(self.metadata).encode()
        index = b"".join(entry.written() for entry in self.entries)
        at = 64 + _aligned(len(meta))
        numbers = [self.flags, len(self.entries), 64, len(meta), at, at + _aligned(len(index))]
        for place, value in self.changes.items():
            numbers[place] = value % (1 << 8 * _WIDTHS[place])
        head = b"APR\0" + bytes(self.version) + struct.pack("<HIQIQQ", *numbers)
        crc = zlib.crc32(head + self.reserved) ^ (not self.checksums[0])
        body = head + struct.pack("<I", crc) + self.reserved + _padded(meta) + _padded(index)
        body += self.data
        return body + struct.pack("<I", zlib.crc32(body) ^ (not self.checksums[1]))


_WIDTHS = (2, 4, 8, 4, 8, 8)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _padded(raw: bytes) -> bytes:
    return raw + bytes(_aligned(len(raw)) - len(raw))


def model() -> Apr:
    """A sound Llama of one layer, as F32."""
    metadata = {
        "model_type": "llama",
        "architecture": "llama",
        "num_layers": 1,
        "num_heads": 2,
        "num_kv_heads": 1,
        "sharding": None,
        **{k: v for k, v in CONFIG.items() if not k.startswith("num_")},
    }
    made = Apr(metadata)
    for name in sorted(SHAPES):
        count = 1
        for n in SHAPES[name]:
            count *= n
        entry = Entry(name.encode(), 0, list(SHAPES[name]), len(made.data), 4 * count)
        made.entries.append(entry)
        made.data += _padded(struct.pack("<f", 0.25) * count)
    return made


def blocks() -> Apr:
    """Tensors of the block types."""
    made = Apr({"model_type": "t"})
    sizes = {12: 144, 128: 144, 129: 260, 14: 210}  # sorted by name
    for dtype, size in sizes.items():
        made.entries.append(Entry(f"t{dtype}".encode(), dtype, [1, 256], len(made.data), size))
        made.data += _padded(b"\x11" * size)
    return made


_MODELS = (model(), blocks(), Apr({}))
Edit = Callable[[Random, Apr], None]


def seeds() -> tuple[Files, ...]:
    """The sound files that mutations start from."""
    return tuple({NAME: made.written()} for made in _MODELS)


def _metadata(dice: Random, made: Apr) -> None:
    made.metadata = tree_edits.edited(dice, made.metadata)


def _root(dice: Random, made: Apr) -> None:
    made.metadata = tree_edits.value(dice)


def _number(dice: Random, made: Apr) -> None:
    made.changes[dice.randrange(len(_WIDTHS))] = dice.choice((*EXTREMES, 192, 320))


def _flags(dice: Random, made: Apr) -> None:
    made.flags ^= 1 << dice.randrange(16)


def _shard(dice: Random, made: Apr) -> None:
    made.flags |= 0x0010
    if isinstance(made.metadata, dict):
        said = {"shard_index": dice.choice((0, 1, -1, None, 1.0, True)), "shard_count": 2}
        made.metadata["sharding"] = dice.choice((said, None, [], said))


def _version(dice: Random, made: Apr) -> None:
    made.version = dice.choice(((2, 1), (1, 0), (0, 0), (255, 255), (50, 0)))


def _reserved(dice: Random, made: Apr) -> None:
    made.reserved = dice.randbytes(20)


def _checksums(dice: Random, made: Apr) -> None:
    made.checksums = dice.choice(((False, True), (True, False)))


def _entry(dice: Random, made: Apr) -> None:
    if made.entries:
        dice.choice(_ENTRY_EDITS)(dice, dice.choice(made.entries))


def _dtype(dice: Random, entry: Entry) -> None:
    entry.dtype = dice.choice((*range(16), 30, 127, 128, 129, 130, 255))


def _shape(dice: Random, entry: Entry) -> None:
    entry.shape = dice.choice(([], [0], [1] * 9, [1] * 255, [1 << 62], [1 << 32] * 4, [1, 255],
                               [*entry.shape, 1], [dice.choice(EXTREMES), 2]))  # fmt: skip


def _offset(dice: Random, entry: Entry) -> None:
    entry.offset = dice.choice((*EXTREMES, entry.offset + 64, entry.offset - 64))


def _size(dice: Random, entry: Entry) -> None:
    entry.size = dice.choice((*EXTREMES, entry.size + 1, entry.size - 1, entry.size * 2))


def _name(dice: Random, entry: Entry) -> None:
    entry.name = dice.choice((b"", b"\xff", b"a", b"z" * 256, b"z" * 257, b"\x00", entry.name * 2))


_ENTRY_EDITS: tuple[Callable[[Random, Entry], None], ...] = (_dtype, _shape, _offset, _size, _name)


def _order(dice: Random, made: Apr) -> None:
    dice.shuffle(made.entries)


def _twice(dice: Random, made: Apr) -> None:
    if made.entries:
        found = dice.choice(made.entries)
        made.entries.append(replace(found, shape=list(found.shape)))


def _data(dice: Random, made: Apr) -> None:
    made.data = edited_bytes(dice, made.data or b"\0", 2)


EDITS: tuple[Edit, ...] = (
    _metadata, _metadata, _metadata, _metadata, _metadata, _metadata, _metadata, _metadata, _root,
    _number, _flags, _shard, _version, _reserved, _checksums, _entry, _entry, _entry, _order,
    _twice, _data,
)  # fmt: skip
_RAW_SHARE = 0.1


def mutated(dice: Random) -> Files:
    """One mutated file."""
    made = dice.choice(_MODELS[:2] if dice.randrange(8) else _MODELS).copied()
    for _ in range(dice.randint(1, 2)):
        dice.choice(EDITS)(dice, made)
    data = made.written(dice)
    if dice.random() < _RAW_SHARE:
        data = edited_bytes(dice, data)
    return {NAME: data}
