"""A GGUF file written again with some of it changed; everything else stays, bit by bit."""

from __future__ import annotations

import mmap
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.defects.gguf_layout import Bytes, Layout, Stored, layout_of, stored

Floats = NDArray[np.float32]

_NUMBERS = {block.name: number for number, block in gguf.TYPES.items()}
_REQUANTISED = frozenset({"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
"""What gguf's own quantiser writes; it reads every type, but the K types go back as F16."""
_ALIGNMENT = "general.alignment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What becomes of one tensor. Nothing given keeps it as it is.

    `values` takes and gives float32 in torch's order, (rows, columns) or (columns,); what it leaves
    equal keeps its bytes, block by block. `raw` takes and gives the stored bytes, (rows, bytes of a
    row). `source` takes the tensor of that name instead; with it, a new name adds a tensor. `type`
    stores as another type. `remove` leaves it out; `name` stores it under another name.
    """

    values: Callable[[Floats], Floats] | None = None
    raw: Callable[[Bytes], Bytes] | None = None
    source: str = ""
    type: str = ""
    name: str = ""
    remove: bool = False


class Rewritten(NamedTuple):
    """Names of tensors that could not be written in the type that they had, with the new one."""

    retyped: dict[str, str]


class _Part(NamedTuple):
    name: str
    shape: tuple[int, ...]
    type: str
    write: Callable[[], Bytes]


def rewrite(
    src: Path,
    dst: Path,
    *,
    metadata: Mapping[str, Any | None] | None = None,
    tensors: Mapping[str, Edit] | None = None,
    order: Callable[[Sequence[str]], Sequence[str]] = lambda names: names,
    alignment: int | None = None,
) -> Rewritten:
    """Write `src` to `dst` with changed metadata (None removes a key), tensors, order, alignment.

    `order` gets the names of all tensors and gives them in the order of storage. Raises Refused
    where `src` is not sound, KeyError where an edit names no tensor, OSError.
    """
    layout = layout_of(src)
    edits = dict(tensors or {})
    changed = dict(metadata or {})
    if alignment is not None:
        changed[_ALIGNMENT] = alignment
    keys = _keys(layout.keys, changed)
    parts = [_part(layout, name, edits.get(name, Edit())) for name in _names(layout, edits)]
    by_name = {part.name: part for part in parts}
    ordered = [by_name[name] for name in order(list(by_name))]
    with dst.open("wb") as out:
        _write(out, layout.header.version, keys, ordered, alignment or layout.header.alignment)
    before = {t.name: t.type for t in layout.header.tensors}
    asked = {name for name, edit in edits.items() if edit.type}
    return Rewritten(
        {p.name: p.type for p in parts
         if p.name not in asked and before.get(p.name, p.type) != p.type}
    )  # fmt: skip


def _names(layout: Layout, edits: Mapping[str, Edit]) -> list[str]:
    present = layout.tensors
    new = [name for name in edits if name not in present]
    for name in new:
        if not edits[name].source:
            raise KeyError(f"{name} is no tensor of the file, and its edit names no source")
    kept = [n for n in present if n not in edits or not edits[n].remove]
    return kept + new


def _keys(before: Mapping[str, Stored], changed: Mapping[str, Any | None]) -> dict[str, Stored]:
    keys = dict(before)
    for key, value in changed.items():
        if value is None:
            keys.pop(key, None)
        else:
            keys[key] = stored(value, before.get(key))
    return keys


def _part(layout: Layout, name: str, edit: Edit) -> _Part:
    tensor = layout.tensors[edit.source or name]
    new_name = edit.name or name
    if edit.values is None and not edit.type:
        transform = edit.raw or (lambda raw: raw)
        return _Part(new_name, tensor.shape, tensor.type, lambda: transform(layout.raw(tensor)))
    kind = edit.type or tensor.type
    fits = kind in _REQUANTISED and tensor.shape[0] % gguf.TYPES[_NUMBERS[kind]].weights == 0
    kind = kind if fits else "F16"
    return _Part(new_name, tensor.shape, kind, lambda: _restored(layout, tensor, edit, kind))


def _restored(layout: Layout, tensor: gguf.Tensor, edit: Edit, kind: str) -> Bytes:
    raw = np.ascontiguousarray(layout.raw(tensor))
    before = dequantised(raw, tensor.type).reshape(tuple(reversed(tensor.shape)))
    change = edit.values or (lambda values: values)
    after = np.ascontiguousarray(change(before.copy()), dtype=np.float32)
    if after.shape != before.shape:
        raise ValueError(f"{tensor.name}: {after.shape} instead of {before.shape}")
    written = quantised(after.reshape(raw.shape[0], -1), kind)
    if kind != tensor.type:
        return written
    block = gguf.TYPES[_NUMBERS[kind]]
    same = before.reshape(-1, block.weights).view(np.uint32) == after.reshape(
        -1, block.weights
    ).view(np.uint32)
    kept = same.all(axis=1)[:, None]
    return np.where(kept, raw.reshape(-1, block.bytes), written.reshape(-1, block.bytes))


def dequantised(raw: Bytes, kind: str) -> Floats:
    """Values of stored rows, shape (rows, columns), by gguf's own reader of the type."""
    from gguf import GGMLQuantizationType  # noqa: PLC0415 - numpy tables, only when planting
    from gguf.quants import dequantize  # noqa: PLC0415

    with np.errstate(all="ignore"):
        values: Floats = dequantize(raw, GGMLQuantizationType[kind]).astype(np.float32, copy=False)
    return values


def quantised(values: Floats, kind: str) -> Bytes:
    """Stored bytes of rows, shape (rows, bytes of a row), by gguf's own writer of the type."""
    from gguf import GGMLQuantizationType  # noqa: PLC0415
    from gguf.quants import quantize  # noqa: PLC0415

    with np.errstate(all="ignore"):
        written: Bytes = quantize(values, GGMLQuantizationType[kind])
    return written.view(np.uint8).reshape(values.shape[0], -1)


def _write(
    out: BinaryIO, version: int, keys: Mapping[str, Stored], parts: Sequence[_Part], alignment: int
) -> None:
    out.write(b"GGUF" + struct.pack("<IQQ", version, len(parts), len(keys)))
    for key, value in keys.items():
        out.write(_text(key) + struct.pack("<I", value.kind) + value.raw)
    at = 0
    for part in parts:
        out.write(_text(part.name) + struct.pack("<I", len(part.shape)))
        out.write(struct.pack(f"<{len(part.shape)}Q", *part.shape))
        out.write(struct.pack("<IQ", _NUMBERS[part.type], at))
        at += _padded(_bytes(part), alignment)
    out.write(bytes(-out.tell() % alignment))
    for part in parts:
        out.write(np.ascontiguousarray(part.write()).reshape(-1).data)
        out.write(bytes(-_bytes(part) % alignment))


def _bytes(part: _Part) -> int:
    block = gguf.TYPES[_NUMBERS[part.type]]
    return int(np.prod(part.shape, dtype=np.int64)) // block.weights * block.bytes


def _padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


@contextmanager
def patching(path: Path) -> Iterator[tuple[mmap.mmap, Layout]]:
    """A file's bytes, writable in place, with the layout that they had before."""
    layout = layout_of(path)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        yield data, layout


@contextmanager
def patched(src: Path, dst: Path) -> Iterator[tuple[mmap.mmap, Layout]]:
    """The bytes of a copy, writable in place, with the layout of the original."""
    shutil.copyfile(src, dst)
    with patching(dst) as opened:
        yield opened
