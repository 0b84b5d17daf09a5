"""A bounded reader of safetensors headers: one file, or a folder with shards.

Layout: 8 bytes of header length (little-endian), that many bytes of JSON, then the data. The
format allows a header of at most 100 MB and no gap and no overlap between tensors.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.json_objects import parsed
from pytest_modelqa.core.answer import Finding

MAX_HEADER_BYTES = 100_000_000
_LENGTH_BYTES = 8
_MAX_DIMS = 32
_MAX_NUMBER = 1 << 63
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"

DTYPES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I16": 2, "U16": 2,
    "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8,
}  # fmt: skip
"""Bytes a weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor's place; `offset` is absolute in `file`, in bytes."""

    name: str
    shape: tuple[int, ...]
    type: str
    file: Path
    offset: int
    bytes: int


@dataclass(slots=True)
class Header:
    """What could be read of a file or of all shards of a folder."""

    tensors: list[Tensor] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    checked: int = 0


def read_folder(folder: Path) -> Header:
    """Read `model.safetensors`, or every shard that the index names. Raises OSError alone.

    Where both are here the single file is read: it is the one that transformers opens.
    """
    header = Header()
    for file in shards(folder, header):
        _append(header, file)
    if _is_sharded(folder):
        _compare_with_index(folder, header)
    return header


def read_file(file: Path) -> Header:
    """Read one file alone. Raises OSError alone."""
    header = Header()
    _append(header, file)
    return header


def shards(folder: Path, header: Header) -> list[Path]:
    """The files that hold the tensors; what is wrong with the index becomes a finding."""
    if folder.is_file():
        _add(header, "ST-MISSING", folder.name, f"is a file; a folder with {SINGLE} is needed")
        return []
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if not _is_sharded(folder):
        _add(header, "ST-MISSING", SINGLE, f"neither {SINGLE} nor {INDEX} is here")
        return []
    files = []
    for name in sorted(set(_weight_map(folder, header).values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            _add(header, "ST-SHARD-NAME", name, "is not the name of a safetensors file here")
        elif not (folder / name).is_file():
            _add(header, "ST-SHARD-MISSING", name, "is named by the index and is not here")
        else:
            files.append(folder / name)
    return files


def _is_sharded(folder: Path) -> bool:
    return (folder / INDEX).is_file() and not (folder / SINGLE).is_file()


def _weight_map(folder: Path, header: Header) -> dict[str, str]:
    if (size := (folder / INDEX).stat().st_size) > MAX_HEADER_BYTES:
        _add(header, "ST-INDEX", INDEX, f"{size:,} bytes, at most {MAX_HEADER_BYTES:,} are read")
        return {}
    try:
        found = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
        if isinstance(found, dict) and all(isinstance(v, str) for v in found.values()):
            return found
        problem = "`weight_map` does not map names to files"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        problem = f"cannot be read: {error!r}"
    _add(header, "ST-INDEX", INDEX, problem)
    return {}


def _compare_with_index(folder: Path, header: Header) -> None:
    listed = _weight_map(folder, Header())
    here = {t.name: t.file.name for t in header.tensors}
    for name in sorted(listed.keys() ^ here.keys()):
        where = "the index alone" if name in listed else "a shard alone"
        _add(header, "ST-INDEX", name, f"is in {where}")
    for name in sorted(listed.keys() & here.keys()):
        header.checked += 1
        if listed[name] != here[name]:
            _add(header, "ST-INDEX", name, f"is in {here[name]}, the index says {listed[name]}")


def _append(header: Header, file: Path) -> None:
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(_LENGTH_BYTES)
        if len(start) < _LENGTH_BYTES:
            _add(header, "ST-TRUNCATED", file.name, f"{size} bytes hold no header", 0)
            return
        (length,) = struct.unpack("<Q", start)
        if length > MAX_HEADER_BYTES or length > size - 8:
            message = f"a header of {length:,} bytes in a file of {size:,}"
            _add(header, "ST-HEADER-LENGTH", file.name, message, 0)
            return
        entries = _entries(stream.read(length), file, header)
    _place(header, file, entries, 8 + length, size)


def _entries(text: bytes, file: Path, header: Header) -> dict[str, Any]:
    try:
        entries, twice = parsed(text)
    except (ValueError, RecursionError) as error:
        _add(header, "ST-JSON", file.name, f"the header is no JSON: {error}", 8)
        return {}
    if twice:
        _add(header, "ST-DUPLICATE", twice[0], "occurs twice in the header", 8)
    if not isinstance(entries, dict):
        _add(header, "ST-JSON", file.name, "the header is no JSON object", 8)
        return {}
    notes = entries.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        _add(header, "ST-ENTRY", "__metadata__", "does not map names to texts", 8)
    return entries


def _place(header: Header, file: Path, entries: dict[str, Any], base: int, size: int) -> None:
    placed = [
        t for name, entry in entries.items() if (t := _tensor(header, file, name, entry, base))
    ]
    known = {t.name for t in header.tensors}
    end = base
    for tensor in sorted(placed, key=lambda t: (t.offset, t.bytes)):
        if tensor.name in known:
            _add(header, "ST-DUPLICATE", tensor.name, "is in two shards")
        if tensor.offset != end:
            what = "overlaps the tensor before it" if tensor.offset < end else "leaves a gap before"
            _add(header, "ST-OFFSET", tensor.name, what, tensor.offset)
        end = max(end, tensor.offset + tensor.bytes)
        header.checked += 2
    if end > size:
        message = f"tensors end at byte {end:,}, the file at {size:,}"
        _add(header, "ST-TRUNCATED", file.name, message, size)
    elif end < size and placed:
        _add(header, "ST-TRAILING", file.name, f"{size - end:,} bytes belong to no tensor", end)
    header.tensors += placed


def _tensor(header: Header, file: Path, name: str, entry: Any, base: int) -> Tensor | None:
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        sound = isinstance(dtype, str) and len(shape) <= _MAX_DIMS
        sound = sound and all(map(_is_size, (*shape, begin, end)))
    except (TypeError, KeyError, ValueError):
        sound = False
    if not sound:
        _add(header, "ST-ENTRY", name, "is no tensor entry", 8)
        return None
    if dtype not in DTYPES:
        _add(header, "ST-DTYPE", name, f"{dtype!r} is no dtype that this reader knows", 8)
        return None
    expected = DTYPES[dtype]
    for n in shape:
        expected *= n
    if end - begin != expected:
        message = (
            f"{dtype} {list(shape)} takes {expected:,} bytes, the header gives {end - begin:,}"
        )
        _add(header, "ST-SIZE", name, message, base + begin)
        return None
    return Tensor(
        name=name, shape=shape, type=dtype, file=file, offset=base + begin, bytes=end - begin
    )


def _is_size(value: object) -> bool:
    """Bounded, so that products and messages stay short whatever the header says."""
    return type(value) is int and 0 <= value < _MAX_NUMBER


def _add(header: Header, code: str, where: str, message: str, offset: int = -1) -> None:
    header.findings.append(Finding(code=code, where=where, message=message, offset=offset))
