"""A bounded reader of APR v2 files: header, metadata, index, places, and both checksums.

Layout, little-endian: 64 bytes of header, JSON metadata, an index of tensors sorted by name, their
data, and a CRC-32 of all before. Sections and tensors start at multiples of 64. Every number is
compared with the bytes that are there before anything is read; violations are findings. What other
readers let pass is refused here: an unknown version or dtype, overlap, a footer that disagrees.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from pytest_modelqa.artifacts.json_objects import parsed
from pytest_modelqa.core.answer import Finding

MAGIC = b"APR\0"
HEADER_BYTES = 64
ALIGNMENT = 64
FOOTER_BYTES = 4
MAX_METADATA_BYTES = 64 << 20
"""The format declares 16 MiB and no reader enforces it: four times that is read."""
MAX_NAME_BYTES = 256
MAX_DIMS = 8
_ENTRY_BYTES = 20
"""The least that an index entry takes."""
_MAX_WEIGHTS = 1 << 62
_CHUNK = 16 << 20

PLAIN = {0: ("F32", 4), 1: ("F16", 2), 3: ("F64", 8), 4: ("I32", 4), 5: ("I64", 8), 6: ("I8", 1),
         7: ("U8", 1), 30: ("BF16", 2)}  # fmt: skip
BLOCKS = {8: ("Q4", 32, 18), 128: ("Q4", 32, 18), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
          14: ("Q6_K", 256, 210)}  # fmt: skip
"""dtype byte: name, weights a block, bytes a block. 8 and 9 are the old bytes of 128 and 129."""
Q8 = (9, 129)
"""One float32 scale for the whole tensor, then a byte a weight."""

COLUMN_MAJOR, SHARDED = 0x0800, 0x0010
_REFUSED_FLAGS = {
    0x0001: "its data is LZ4-compressed",
    0x0002: "its data is Zstandard-compressed",
    0x0004: "its data is encrypted",
    COLUMN_MAJOR: "its layout is column-major",
}
_KNOWN_FLAGS = 0x0FFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor's place. `shape` as in torch (outermost first); `offset` absolute, in bytes."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    bytes: int

    @property
    def weights(self) -> int:
        """Number of weights."""
        return prod(self.shape)


@dataclass(slots=True)
class Header:
    """What could be read. With findings it may be partial; `tensors` keep the index's order."""

    metadata: dict[str, Any] = field(default_factory=dict)
    tensors: list[Tensor] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    flags: int = 0
    checked: int = 0


class _Bad(Exception):
    def __init__(self, code: str, where: str, message: str, offset: int) -> None:
        super().__init__(message)
        self.finding = Finding(code=code, where=where, message=message, offset=offset)


class _Start(NamedTuple):
    """The header's numbers."""

    flags: int
    tensors: int
    metadata: int
    metadata_bytes: int
    entries: int
    data: int


def read(path: Path) -> Header:
    """Read a file's header and index, and verify its checksums. Raises OSError alone."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return parse(b"")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return parse(data)


def parse(data: mmap.mmap | bytes) -> Header:
    """Read from bytes."""
    header = Header()
    try:
        start = _start(data, header)
        header.metadata = _metadata(data, start, header)
        _sharding(start, header)
        infos = list(_infos(data, start, header))
        _order(infos, header)
        _place(infos, start, len(data), header)
        if not any(f.severity == "error" for f in header.findings):
            _footer(data, header)
    except _Bad as bad:
        header.findings.append(bad.finding)
    return header


def _start(data: mmap.mmap | bytes, header: Header) -> _Start:
    _identity(data[:HEADER_BYTES])
    if len(data) < HEADER_BYTES + FOOTER_BYTES:
        raise _Bad("APR-TRUNCATED", "header", f"{len(data)} bytes hold no header", len(data))
    first = data[:HEADER_BYTES]
    (said,) = struct.unpack_from("<I", first, 40)
    found = zlib.crc32(first[:40] + first[44:])
    if said != found:
        message = f"the header's checksum is {said:08x}, its bytes give {found:08x}"
        raise _Bad("APR-HEADER-CHECKSUM", "header", message, 40)
    start = _Start(*struct.unpack_from("<HIQIQQ", first, 6))
    header.flags = start.flags
    _flags(start.flags)
    if any(first[44:]):
        header.findings.append(
            _finding("APR-RESERVED", "header", "reserved bytes are not zero", 44)
        )
    _sections(start, len(data))
    header.checked += 8
    return start


def _identity(first: bytes) -> None:
    """Magic and version: other formats begin with the same letters."""
    if first[:4] == b"APRN":
        raise _Bad("APR-VERSION", "magic", "APR version 1 (APRN); this reader knows 2.0", 0)
    if first[:4] != MAGIC[: len(first)] or not first:
        if not first:
            raise _Bad("APR-TRUNCATED", "file", "the file is empty", 0)
        raise _Bad("APR-MAGIC", "magic", f"{first[:4]!r} instead of {MAGIC!r}", 0)
    version = tuple(first[4:6])
    if len(version) == 2 and version != (2, 0):  # noqa: PLR2004 - major and minor
        message = f"{version[0]}.{version[1]}; this reader knows 2.0"
        raise _Bad("APR-VERSION", "version", message, 4)


def _flags(flags: int) -> None:
    for bit, why in _REFUSED_FLAGS.items():
        if flags & bit:
            raise _Bad("APR-FLAGS", "flags", f"flag {bit:#06x}: {why}", 6)
    if unknown := flags & ~_KNOWN_FLAGS:
        raise _Bad("APR-FLAGS", "flags", f"unknown flags {unknown:#06x}", 6)


def _sections(start: _Start, size: int) -> None:
    """Sections follow each other, each padded to 64 bytes; nothing lies outside the file."""
    if start.metadata != HEADER_BYTES:
        message = f"metadata at {start.metadata:,}, not at {HEADER_BYTES}"
        raise _Bad("APR-LAYOUT", "metadata offset", message, 12)
    if start.metadata_bytes > MAX_METADATA_BYTES:
        message = f"{start.metadata_bytes:,} bytes, at most {MAX_METADATA_BYTES:,} are read"
        raise _Bad("APR-METADATA-SIZE", "metadata size", message, 20)
    if start.metadata + start.metadata_bytes > size - FOOTER_BYTES:
        raise _Bad("APR-TRUNCATED", "metadata", "ends beyond the file", 20)
    expected = HEADER_BYTES + _aligned(start.metadata_bytes)
    if start.entries != expected:
        message = f"index at {start.entries:,}, the metadata ends at {expected:,}"
        raise _Bad("APR-LAYOUT", "index offset", message, 24)
    if start.data % ALIGNMENT or start.data < start.entries:
        message = f"data at {start.data:,}, before the index or no multiple of {ALIGNMENT}"
        raise _Bad("APR-LAYOUT", "data offset", message, 32)
    if start.data > size - FOOTER_BYTES:
        message = f"data at {start.data:,} in a file of {size:,} bytes"
        raise _Bad("APR-TRUNCATED", "data offset", message, 32)
    if start.tensors * _ENTRY_BYTES > start.data - start.entries:
        message = f"{start.tensors:,} entries do not fit {start.data - start.entries:,} bytes"
        raise _Bad("APR-COUNT", "tensor count", message, 8)


def _metadata(data: mmap.mmap | bytes, start: _Start, header: Header) -> dict[str, Any]:
    raw = data[start.metadata : start.metadata + start.metadata_bytes]
    try:
        found, twice = parsed(raw)
    except (ValueError, RecursionError) as error:
        message = f"the metadata is no JSON: {error}"
        raise _Bad("APR-JSON", "metadata", message, start.metadata) from None
    if not isinstance(found, dict):
        raise _Bad("APR-JSON", "metadata", "the metadata is no JSON object", start.metadata)
    if twice:
        message = "occurs twice in the metadata: readers differ in which they take"
        header.findings.append(_warning("APR-DUPLICATE-KEY", twice[0], message, start.metadata))
    header.checked += 1 + len(found)
    return found


def _sharding(start: _Start, header: Header) -> None:
    """A shard says which one of how many it is."""
    said = header.metadata.get("sharding")
    if not start.flags & SHARDED:
        return
    keys = ("shard_index", "shard_count")
    numbers = [said.get(k) if isinstance(said, dict) else None for k in keys]
    index, count = numbers
    if type(index) is int and type(count) is int and 0 <= index < count:
        header.checked += 1
        return
    message = f"flagged as a shard, but its metadata says shard {index} of {count}"
    header.findings.append(_finding("APR-SHARD", "sharding", message[:200], start.metadata))


class _Info(NamedTuple):
    name: str
    shape: tuple[int, ...]
    dtype: int
    offset: int
    size: int
    at: int


def _infos(data: mmap.mmap | bytes, start: _Start, header: Header) -> Iterator[_Info]:
    at = start.entries
    for _ in range(start.tensors):
        info, at = _info(data, at, start.data)
        header.checked += 1
        yield info
    if (left := start.data - at) >= ALIGNMENT or any(data[at : start.data]):
        message = f"{left:,} bytes between index and data are not its padding"
        header.findings.append(_finding("APR-LAYOUT", "data offset", message, at))


def _info(data: mmap.mmap | bytes, start: int, end: int) -> tuple[_Info, int]:
    """One entry, and where the next one starts."""
    at = start

    def take(form: str) -> tuple[Any, ...]:
        nonlocal at
        size = struct.calcsize(form)
        if at + size > end:
            raise _Bad("APR-TRUNCATED", "index", f"an entry leaves the index at byte {end:,}", at)
        at += size
        return struct.unpack_from(form, data, at - size)

    (length,) = take("<H")
    if not 1 <= length <= MAX_NAME_BYTES:
        message = f"a name of {length} bytes; 1 to {MAX_NAME_BYTES} are allowed"
        raise _Bad("APR-NAME", "index", message, start)
    (raw,) = take(f"<{length}s")
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise _Bad("APR-NAME", repr(raw[:40]), "is no UTF-8", start + 2) from None
    dtype, dims = take("<BB")
    if dims > MAX_DIMS:
        raise _Bad("APR-DIMS", name, f"{dims} dimensions; at most {MAX_DIMS} exist", at - 1)
    shape = take(f"<{dims}Q")
    offset, size = take("<QQ")
    if not all(shape) or prod(shape) > _MAX_WEIGHTS:
        message = f"shape {list(shape)} holds nothing, or more than can be"
        raise _Bad("APR-DIMS", name, message, start)
    return _Info(name, shape, dtype, offset, size, start), at


def _order(infos: list[_Info], header: Header) -> None:
    seen: set[str] = set()
    for info in infos:
        if info.name in seen:
            message = "occurs twice in the index"
            header.findings.append(_finding("APR-DUPLICATE", info.name, message, info.at))
        seen.add(info.name)
    for one, two in pairwise(infos):
        if one.name.encode() > two.name.encode():
            message = f"stands after {one.name[:80]}; the index is searched as sorted by name"
            header.findings.append(_finding("APR-ORDER", two.name, message, two.at))
            return


def _place(infos: list[_Info], start: _Start, size: int, header: Header) -> None:
    end = size - FOOTER_BYTES
    for info in infos:
        kind = _type(info)
        first = start.data + info.offset
        if info.offset % ALIGNMENT:
            message = f"offset {info.offset:,} is not a multiple of {ALIGNMENT}"
            header.findings.append(_finding("APR-OFFSET", info.name, message, info.at))
        if info.size not in (expected := _sizes(info)):
            message = f"{kind} {list(info.shape)} takes {min(expected):,} bytes, not {info.size:,}"
            header.findings.append(_finding("APR-SIZE", info.name, message, info.at))
        if first + info.size > end:
            message = f"ends at byte {first + info.size:,}, the data at {end:,}"
            header.findings.append(_finding("APR-TRUNCATED", info.name, message, info.at))
        header.tensors.append(
            Tensor(name=info.name, shape=info.shape, type=kind, offset=first, bytes=info.size)
        )
        header.checked += 3
    _between(header, start.data, end)


def _between(header: Header, begin: int, end: int) -> None:
    """No overlap, and nothing after the last tensor but its padding."""
    last = begin
    for tensor in sorted(header.tensors, key=lambda t: (t.offset, t.bytes)):
        if tensor.offset < last and tensor.bytes:
            message = "overlaps the tensor before it"
            header.findings.append(_finding("APR-OVERLAP", tensor.name, message, tensor.offset))
        last = max(last, tensor.offset + tensor.bytes)
    if last <= end and end - last >= ALIGNMENT:
        message = f"{end - last:,} bytes belong to no tensor"
        header.findings.append(_finding("APR-TRAILING", "file", message, last))


def _type(info: _Info) -> str:
    if info.dtype in PLAIN:
        return PLAIN[info.dtype][0]
    if info.dtype in BLOCKS:
        return BLOCKS[info.dtype][0]
    if info.dtype in Q8:
        return "Q8"
    message = f"dtype {info.dtype} means nothing, or different things to different readers"
    raise _Bad("APR-DTYPE", info.name, message, info.at + 2 + len(info.name.encode()))


def _sizes(info: _Info) -> tuple[int, ...]:
    """The bytes that a tensor takes; blocks may run on through rows, or end with each."""
    weights = prod(info.shape)
    if info.dtype in PLAIN:
        return (weights * PLAIN[info.dtype][1],)
    if info.dtype in Q8:
        return (4 + weights,)
    _, block, size = BLOCKS[info.dtype]
    row = info.shape[-1] if info.shape else 1
    return -(-weights // block) * size, weights // row * -(-row // block) * size


def _footer(data: mmap.mmap | bytes, header: Header) -> None:
    end = len(data) - FOOTER_BYTES
    (said,) = struct.unpack_from("<I", data, end)
    with memoryview(data) as view:
        found = 0
        for at in range(0, end, _CHUNK):
            with view[at : min(at + _CHUNK, end)] as piece:
                found = zlib.crc32(piece, found)
    header.checked += 1
    if said != found:
        message = f"the file's checksum is {said:08x}, its bytes give {found:08x}"
        header.findings.append(_finding("APR-CHECKSUM", "file", message, end))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _warning(code: str, where: str, message: str, offset: int) -> Finding:
    return Finding(code=code, where=where, message=message, offset=offset, severity="warning")


def _finding(code: str, where: str, message: str, offset: int) -> Finding:
    return Finding(code=code, where=where, message=message, offset=offset)
