"""Reads one tensor, rows at a time, as float32: whatever its format, type and order of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts.gguf import TYPES
from pytest_modelqa.artifacts.moments import BLOCKED, PLAIN, decoded

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

CHUNK = 1 << 16
"""Values read at a time: what is computed from them stays in a core's cache."""
_ENDS_WITH_ROW = {"F64": "<f8", "I8": "i1", "U8": "u1", "I16": "<i2", "U16": "<u2", "I32": "<i4",
                  "U32": "<u4", "I64": "<i8", "U64": "<u8", "BOOL": "?"}  # fmt: skip
_BLOCK = {t.name: (t.weights, t.bytes) for t in TYPES.values()}


def decodable(kind: str) -> bool:
    """Whether values of this type can be read here."""
    return kind in PLAIN or kind in _ENDS_WITH_ROW or kind in _BLOCK


@dataclass(frozen=True, kw_only=True)
class Source:
    """A stored tensor. `shape` is in torch order; `name` is the file's.

    `unit` and `order` say how the rows of a head are stored: row `i` of a head of `unit` rows is
    the stored row `order[i]` of that head. `offset_added` was added to each value by the
    converter, and is taken off.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    bytes: int
    unit: int = 1
    order: tuple[int, ...] = ()
    offset_added: float = 0.0

    @property
    def cols(self) -> int:
        """Values a row: the innermost dimension."""
        return self.shape[-1] if self.shape else 1

    @property
    def rows(self) -> int:
        """All rows; a vector is one."""
        return prod(self.shape[:-1]) if self.shape else 1

    @property
    def weights(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @cached_property
    def stored(self) -> NDArray[np.uint8]:
        """The bytes, mapped, shape (rows, bytes a row); rows in the file's order."""
        raw = np.memmap(self.file, np.uint8, "r", self.offset, (self.bytes,))
        return np.asarray(raw).reshape(self.rows, -1)

    def as_type(self, kind: str) -> Source:
        """The same bytes, read as another type."""
        return Source(**{**self._fields(), "type": kind})

    def in_file_order(self) -> Source:
        """The same tensor, its rows as they are stored."""
        return Source(**{**self._fields(), "unit": 1, "order": ()})

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def chunks(self, rows: int) -> Iterator[Floats]:
        """All rows in canonical order, `rows` at a time, shape (n, cols); `rows` whole units."""
        for at in range(0, self.rows, rows):
            yield self.slice(at, min(at + rows, self.rows))

    def slice(self, start: int, stop: int) -> Floats:
        """Rows `start` to `stop`; whole units."""
        values = self._decoded(self.stored[start:stop])
        if self.order:
            heads = values.reshape(-1, self.unit, self.cols)
            values = heads[:, list(self.order)].reshape(-1, self.cols)
        return values

    def take(self, rows: Rows) -> Floats:
        """These rows, shape (len(rows), cols)."""
        at = np.asarray(rows)
        if self.order:
            at = at // self.unit * self.unit + np.asarray(self.order)[at % self.unit]
        return self._decoded(self.stored[at])

    def _decoded(self, raw: NDArray[np.uint8]) -> Floats:
        values = decode(self.type, raw).reshape(raw.shape[0], self.cols)
        return values - np.float32(self.offset_added) if self.offset_added else values


def decode(kind: str, raw: NDArray[np.uint8]) -> Floats:
    """Float32 of whole rows of stored bytes, shape (rows, bytes a row)."""
    if kind in PLAIN or kind in BLOCKED:
        return decoded(kind, np.ascontiguousarray(raw).reshape(-1))
    if kind in _ENDS_WITH_ROW:
        with np.errstate(over="ignore"):
            numbers = np.ascontiguousarray(raw).reshape(-1).view(_ENDS_WITH_ROW[kind])
            return np.asarray(numbers.astype(np.float32))
    from gguf import GGMLQuantizationType  # noqa: PLC0415 - only where such a type is met
    from gguf.quants import dequantize  # noqa: PLC0415

    # Blocks know no rows; gguf takes 16 rows at a time, which costs more than the work does.
    flat = np.ascontiguousarray(raw).reshape(1, -1)
    return np.asarray(dequantize(flat, GGMLQuantizationType[kind]), dtype=np.float32)


def bits(kind: str) -> float:
    """Bits a value of a GGUF type; 0 where the type is not known."""
    weights, size = _BLOCK.get(kind, (1, 0))
    return 8 * size / weights
