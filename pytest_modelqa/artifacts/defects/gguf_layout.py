"""Where everything stands in a GGUF file, byte by byte: a copy keeps what is not changed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.core.errors import Refused

Bytes = NDArray[np.uint8]

BOOL, STRING, ARRAY = 7, 8, 9
_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_UINT32, _INT32, _FLOAT32 = 4, 5, 6


class Stored(NamedTuple):
    """A metadata value as the file has it: GGUF's number of its type, and its bytes."""

    kind: int
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A sound file's parts. `info_at` is where a tensor's dimension count stands; `data` is mapped.

    After the count (4 bytes) come the sizes (8 each), the type (4) and the offset (8).
    """

    header: gguf.Header
    keys: dict[str, Stored]
    info_at: dict[str, int]
    data: Bytes

    @property
    def tensors(self) -> dict[str, gguf.Tensor]:
        """By name, in the file's order."""
        return {t.name: t for t in self.header.tensors}

    def raw(self, tensor: gguf.Tensor) -> Bytes:
        """A tensor's bytes, shape (rows, bytes of a row), mapped, not read."""
        flat = self.data[tensor.offset : tensor.offset + tensor.bytes]
        return flat.reshape(tensor.weights // tensor.shape[0], -1)


def layout_of(path: Path) -> Layout:
    """Read a file that is sound. Raises Refused with the first finding, OSError."""
    header = gguf.read(path)
    if header.findings:
        first = header.findings[0]
        raise Refused(
            f"{first.code} {first.where}: {first.message}",
            where=str(path),
            remedy=f"modelqa inspect {path}; plant defects into a sound file",
        )
    data: Bytes = np.memmap(path, dtype=np.uint8, mode="r")
    keys, end = {}, 24
    for key, at in header.key_offsets.items():
        kind = _number(data, "I", at - 4)
        end = _end(data, kind, at)
        keys[key] = Stored(kind, data[at:end].tobytes())
    info_at = {}
    for tensor in header.tensors:
        info_at[tensor.name] = end + 8 + len(tensor.name.encode())
        end = info_at[tensor.name] + 4 + 8 * len(tensor.shape) + 4 + 8
    return Layout(header=header, keys=keys, info_at=info_at, data=data)


def _end(data: Bytes, kind: int, at: int) -> int:
    if kind in _CODES:
        return at + struct.calcsize(f"<{_CODES[kind]}")
    if kind == STRING:
        return at + 8 + _number(data, "Q", at)
    of, count = _number(data, "I", at), _number(data, "Q", at + 4)
    at += 12
    if of in _CODES:
        return at + count * struct.calcsize(f"<{_CODES[of]}")
    for _ in range(count):
        at = _end(data, of, at)
    return at


def _number(data: Bytes, code: str, at: int) -> int:
    size = struct.calcsize(f"<{code}")
    return int(struct.unpack(f"<{code}", data[at : at + size].tobytes())[0])


def stored(value: Any, before: Stored | None) -> Stored:
    """Encode a value; with the type that the key has had, where it has had one that fits."""
    if before is not None and _fits(value, before):
        of = struct.unpack_from("<I", before.raw)[0] if before.kind == ARRAY else 0
        return Stored(before.kind, _encoded(value, before.kind, of))
    kind = _kind(value)
    of = _kind(value[0]) if kind == ARRAY and len(value) else 0
    return Stored(kind, _encoded(value, kind, of))


def _fits(value: Any, before: Stored) -> bool:
    if isinstance(value, str):
        return before.kind == STRING
    if isinstance(value, Sequence):
        return before.kind == ARRAY
    return before.kind in _CODES and (before.kind == BOOL) == isinstance(value, bool)


def _kind(value: Any) -> int:
    if isinstance(value, str):
        return STRING
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return _INT32 if value < 0 else _UINT32
    return _FLOAT32 if isinstance(value, float) else ARRAY


def _encoded(value: Any, kind: int, of: int) -> bytes:
    if kind == STRING:
        text = str(value).encode("utf-8", "surrogateescape")
        return struct.pack("<Q", len(text)) + text
    if kind == ARRAY:
        parts = [_encoded(part, of, 0) for part in value]
        return struct.pack("<IQ", of, len(parts)) + b"".join(parts)
    return struct.pack(f"<{_CODES[kind]}", value)
