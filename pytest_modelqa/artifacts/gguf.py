"""A bounded reader of GGUF headers, versions 2 and 3.

Every length is compared with the bytes that remain before anything is read, so that a hostile file
costs neither time nor memory. Nothing is raised for bad bytes: violations are findings.
Layout: ggml's `docs/gguf.md`; type sizes: ggml's type traits (block size in weights, in bytes).
"""

from __future__ import annotations

import mmap
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pytest_modelqa.core.answer import Finding

MAX_TENSORS = 100_000
MAX_KEYS = 100_000
MAX_NAME_BYTES = 64
MAX_KEY_BYTES = 65_535
MAX_DIMS = 4
MAX_HEADER_BYTES = 64 << 20
"""Vocabularies of 262,144 tokens with their merges take a fifth of this; texts in memory take
eight times their bytes at most, numbers in arrays no more than in the file."""
_ARRAY_DEPTH = 4
_SWAPPED = frozenset(int.from_bytes(v.to_bytes(4, "big"), "little") for v in (1, 2, 3))
_BOOL, _UINT32 = 7, 4
_ALIGNMENT = "general.alignment"
_LEAST_ALIGNMENT = 8


class BlockType(NamedTuple):
    """A ggml type: its name, weights a block, bytes a block."""

    name: str
    weights: int
    bytes: int


TYPES: dict[int, BlockType] = {
    0: BlockType("F32", 1, 4),
    1: BlockType("F16", 1, 2),
    2: BlockType("Q4_0", 32, 18),
    3: BlockType("Q4_1", 32, 20),
    6: BlockType("Q5_0", 32, 22),
    7: BlockType("Q5_1", 32, 24),
    8: BlockType("Q8_0", 32, 34),
    9: BlockType("Q8_1", 32, 36),
    10: BlockType("Q2_K", 256, 84),
    11: BlockType("Q3_K", 256, 110),
    12: BlockType("Q4_K", 256, 144),
    13: BlockType("Q5_K", 256, 176),
    14: BlockType("Q6_K", 256, 210),
    15: BlockType("Q8_K", 256, 292),
    16: BlockType("IQ2_XXS", 256, 66),
    17: BlockType("IQ2_XS", 256, 74),
    18: BlockType("IQ3_XXS", 256, 98),
    19: BlockType("IQ1_S", 256, 50),
    20: BlockType("IQ4_NL", 32, 18),
    21: BlockType("IQ3_S", 256, 110),
    22: BlockType("IQ2_S", 256, 82),
    23: BlockType("IQ4_XS", 256, 136),
    24: BlockType("I8", 1, 1),
    25: BlockType("I16", 1, 2),
    26: BlockType("I32", 1, 4),
    27: BlockType("I64", 1, 8),
    28: BlockType("F64", 1, 8),
    29: BlockType("IQ1_M", 256, 56),
    30: BlockType("BF16", 1, 2),
    34: BlockType("TQ1_0", 256, 54),
    35: BlockType("TQ2_0", 256, 66),
    39: BlockType("MXFP4", 32, 17),
}

_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "B",  # bool
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor's place. `shape` is in ggml order (fastest first); `offset` absolute, in bytes."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    bytes: int

    @property
    def weights(self) -> int:
        """Number of weights."""
        total = 1
        for n in self.shape:
            total *= n
        return total


@dataclass(slots=True)
class Header:
    """What could be read. With findings it may be partial; `tensors` keep the file's order."""

    version: int = 0
    alignment: int = 32
    metadata: dict[str, Any] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    key_offsets: dict[str, int] = field(default_factory=dict)
    checked: int = 0


class _Bad(Exception):
    def __init__(self, code: str, where: str, message: str, offset: int) -> None:
        super().__init__(message)
        self.finding = Finding(code=code, where=where, message=message, offset=offset)


class _Cursor:
    """Reads forward; refuses to read what is not there."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self.data = data
        self.at = 0
        self.end = min(len(data), MAX_HEADER_BYTES)

    @property
    def left(self) -> int:
        return self.end - self.at

    def need(self, count: int, where: str) -> None:
        if count > self.left:
            raise self.lacking(count, where)

    def lacking(self, count: int, where: str) -> _Bad:
        left = len(self.data) - self.at
        if count > left:
            return _Bad("GGUF-TRUNCATED", where, f"needs {count:,} bytes, {left:,} remain", self.at)
        message = f"the header does not end within {MAX_HEADER_BYTES:,} bytes"
        return _Bad("GGUF-HEADER-SIZE", where, message, self.at)

    def scalar(self, code: str, where: str) -> Any:
        size = struct.calcsize(f"<{code}")
        self.need(size, where)
        (value,) = struct.unpack_from(f"<{code}", self.data, self.at)
        self.at += size
        return value

    def text(self, where: str, limit: int) -> str:
        start = self.at
        length = self.scalar("Q", where)
        if length > limit and limit:
            raise _Bad("GGUF-NAME-LENGTH", where, f"{length:,} bytes, at most {limit:,}", start)
        self.need(length, where)
        raw = self.data[self.at : self.at + length]
        self.at += length
        return raw.decode("utf-8", "surrogateescape")

    def identifier(self, where: str, limit: int) -> str:
        """A key or a tensor's name: not empty, and UTF-8."""
        start = self.at
        name = self.text(where, limit)
        if not name:
            raise _Bad("GGUF-NAME-LENGTH", where, "is empty", start)
        if not name.isascii() and any("\udc80" <= c <= "\udcff" for c in name):
            raise _Bad("GGUF-UTF8", where, "is no UTF-8", start)
        return name


def read(path: Path) -> Header:
    """Read the header of a file. Raises OSError alone."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return Header(findings=[_finding("GGUF-TRUNCATED", "file", "the file is empty", 0)])
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return parse(data)


def parse(data: mmap.mmap | bytes) -> Header:
    """Read the header from bytes."""
    header = Header()
    cursor = _Cursor(data)
    try:
        counts = _preamble(cursor, header)
        _metadata(cursor, header, counts[1])
        infos = _infos(cursor, header, counts[0])
        _place(cursor, header, infos)
    except _Bad as bad:
        header.findings.append(bad.finding)
    return header


def _preamble(cursor: _Cursor, header: Header) -> tuple[int, int]:
    cursor.need(4, "magic")
    if cursor.data[:4] != b"GGUF":
        raise _Bad("GGUF-MAGIC", "magic", f"{bytes(cursor.data[:4])!r} instead of b'GGUF'", 0)
    cursor.at = 4
    header.version = cursor.scalar("I", "version")
    if header.version in _SWAPPED:
        raise _Bad("GGUF-ENDIAN", "version", "the file is big-endian; convert it again here", 4)
    if header.version not in (2, 3):
        raise _Bad("GGUF-VERSION", "version", f"{header.version}; this reader knows 2 and 3", 4)
    tensors, keys = cursor.scalar("Q", "tensor count"), cursor.scalar("Q", "key count")
    if tensors > MAX_TENSORS or tensors * 24 > cursor.left:
        raise _Bad("GGUF-COUNT", "tensor count", f"{tensors:,} do not fit the file", 8)
    if keys > MAX_KEYS or keys * 13 > cursor.left:
        raise _Bad("GGUF-COUNT", "key count", f"{keys:,} do not fit the file", 16)
    header.checked += 4
    return tensors, keys


def _metadata(cursor: _Cursor, header: Header, count: int) -> None:
    for _ in range(count):
        start = cursor.at
        key = cursor.identifier("metadata key", MAX_KEY_BYTES)
        kind = cursor.scalar("I", key)
        header.key_offsets[key] = cursor.at
        value = _value(cursor, kind, key, 0)
        if key in header.metadata:
            raise _Bad("GGUF-DUPLICATE-KEY", key, "occurs twice", start)
        if key == _ALIGNMENT and kind != _UINT32:  # ggml asserts the type, and aborts
            raise _Bad("GGUF-ALIGNMENT", key, f"has value type {kind}, not uint32", start)
        header.metadata[key] = value
        header.checked += 1
    header.alignment = _alignment(header)


def _alignment(header: Header) -> int:
    found: int = header.metadata.get(_ALIGNMENT, 32)
    if found >= _LEAST_ALIGNMENT and not found & (found - 1):
        return found
    message = f"{found} is no power of two of {_LEAST_ALIGNMENT} or more"
    raise _Bad("GGUF-ALIGNMENT", _ALIGNMENT, message, header.key_offsets[_ALIGNMENT])


def _value(cursor: _Cursor, kind: int, key: str, depth: int) -> Any:
    if kind in _SCALARS:
        value = cursor.scalar(_SCALARS[kind], key)
        if kind == _BOOL and value > 1:
            raise _Bad("GGUF-BOOL", key, f"{value} is neither true nor false", cursor.at - 1)
        return value
    if kind == _STRING:
        return cursor.text(key, 0)
    if kind == _ARRAY:
        return _array(cursor, key, depth + 1)
    raise _Bad("GGUF-VALUE-TYPE", key, f"{kind} is no value type", cursor.at - 4)


def _array(cursor: _Cursor, key: str, depth: int) -> Sequence[Any]:
    start = cursor.at
    if depth > _ARRAY_DEPTH:
        raise _Bad("GGUF-ARRAY-DEPTH", key, f"arrays nested deeper than {_ARRAY_DEPTH}", start)
    kind, count = cursor.scalar("I", key), cursor.scalar("Q", key)
    if kind in _SCALARS:
        return _numbers(cursor, key, _SCALARS[kind], count)
    if kind not in (_STRING, _ARRAY):
        raise _Bad("GGUF-VALUE-TYPE", key, f"{kind} is no value type", start)
    cursor.need(count * (8 if kind == _STRING else 12), key)
    if kind == _STRING:
        return _strings(cursor, key, count)
    return tuple(_array(cursor, key, depth + 1) for _ in range(count))


def _numbers(cursor: _Cursor, key: str, code: str, count: int) -> array[Any]:
    """Packed as in the file: a tuple of a hostile file's bytes takes forty times as much."""
    values = array(code)
    size = count * values.itemsize
    cursor.need(size, key)
    values.frombytes(cursor.data[cursor.at : cursor.at + size])
    if sys.byteorder == "big":
        values.byteswap()
    cursor.at += size
    return values


def _strings(cursor: _Cursor, key: str, count: int) -> tuple[str, ...]:
    """The hot loop: 49,152 tokens and as many merges."""
    data, at, end = cursor.data, cursor.at, cursor.end
    unpack = struct.Struct("<Q").unpack_from
    values = []
    for _ in range(count):
        if at + 8 > end or (length := unpack(data, at)[0]) > end - at - 8:
            cursor.at = at
            raise cursor.lacking(length + 8 if at + 8 <= end else 8, key)
        at += 8 + length
        values.append(data[at - length : at].decode("utf-8", "surrogateescape"))
    cursor.at = at
    return tuple(values)


class _Info(NamedTuple):
    name: str
    shape: tuple[int, ...]
    type: BlockType
    offset: int
    at: int


def _infos(cursor: _Cursor, header: Header, count: int) -> list[_Info]:
    infos = []
    seen: set[str] = set()
    for _ in range(count):
        start = cursor.at
        name = cursor.identifier("tensor name", MAX_NAME_BYTES)
        if name in seen:
            raise _Bad("GGUF-DUPLICATE-TENSOR", name, "occurs twice", start)
        seen.add(name)
        infos.append(_info(cursor, name, start))
        header.checked += 1
    return infos


def _info(cursor: _Cursor, name: str, start: int) -> _Info:
    dims = cursor.scalar("I", name)
    if not 1 <= dims <= MAX_DIMS:
        raise _Bad("GGUF-DIMS", name, f"{dims} dimensions; 1 to {MAX_DIMS} exist", start)
    shape = tuple(cursor.scalar("Q", name) for _ in range(dims))
    kind, offset = cursor.scalar("I", name), cursor.scalar("Q", name)
    if kind not in TYPES:
        raise _Bad("GGUF-TENSOR-TYPE", name, f"{kind} is no type that this reader knows", start)
    block = TYPES[kind]
    if any(n < 1 for n in shape):
        raise _Bad("GGUF-DIMS", name, f"shape {shape} holds no weights", start)
    if shape[0] % block.weights:
        message = f"rows of {shape[0]:,} weights do not divide into blocks of {block.weights}"
        raise _Bad("GGUF-BLOCKS", name, message, start)
    return _Info(name, shape, block, offset, start)


def _place(cursor: _Cursor, header: Header, infos: list[_Info]) -> None:
    """Offsets count from the aligned end of the header; none leaves the file or overlaps."""
    base = -(-cursor.at // header.alignment) * header.alignment
    size = len(cursor.data)
    for info in infos:
        weights = 1
        for n in info.shape:
            weights *= n
        length = weights // info.type.weights * info.type.bytes
        start = base + info.offset
        if info.offset % header.alignment:
            message = f"offset {info.offset:,} is not a multiple of {header.alignment}"
            header.findings.append(_finding("GGUF-OFFSET", info.name, message, info.at))
        if start + length > size:
            message = f"ends at byte {start + length:,}, the file at {size:,}"
            header.findings.append(_finding("GGUF-TRUNCATED", info.name, message, info.at))
        header.tensors.append(
            Tensor(
                name=info.name, shape=info.shape, type=info.type.name, offset=start, bytes=length
            )
        )
        header.checked += 2
    _between(header, base, size)


def _between(header: Header, base: int, size: int) -> None:
    """Tensors follow each other, each padded to the alignment; nothing stands after the last."""
    end, before = base, "the header"
    for tensor in sorted(header.tensors, key=lambda t: (t.offset, t.bytes)):
        if tensor.offset < end:
            message = f"overlaps {before}"
            header.findings.append(_finding("GGUF-OVERLAP", tensor.name, message, tensor.offset))
        elif tensor.offset - end >= header.alignment:
            message = f"{tensor.offset - end:,} bytes before it belong to no tensor"
            header.findings.append(_finding("GGUF-GAP", tensor.name, message, end))
        end, before = max(end, tensor.offset + tensor.bytes), tensor.name
    padding = -end % header.alignment
    if header.tensors and size > end + padding and end <= size:
        message = f"{size - end:,} bytes belong to no tensor"
        header.findings.append(_finding("GGUF-TRAILING", "file", message, end))


def _finding(code: str, where: str, message: str, offset: int) -> Finding:
    return Finding(code=code, where=where, message=message, offset=offset)
