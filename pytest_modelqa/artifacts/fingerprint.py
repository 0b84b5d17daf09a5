"""A fingerprint of a model's content: the same however its tensors are stored.

SHA-256 over the sorted lines `name, type, shape, SHA-256 of the bytes`: independent of the order
of tensors, of how many shards hold them and how these are called, and of all metadata.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

_THREADS = 2
_CHUNK = 8 << 20


class Place(NamedTuple):
    """Where a tensor lies. `shape` is in torch order; `rows` is its outermost dimension."""

    name: str
    type: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    bytes: int

    @property
    def rows(self) -> int:
        """The outermost dimension; 1 for a scalar."""
        return self.shape[0] if self.shape else 1


def fingerprint(places: Sequence[Place]) -> str:
    """Hash every tensor of sound files; hexadecimal. Raises OSError."""
    with ThreadPoolExecutor(_THREADS) as pool:
        lines = sorted(pool.map(_line, places))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _line(place: Place) -> str:
    digest = hashlib.sha256()
    if place.bytes:
        with place.file.open("rb") as file:
            start = place.offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
            end = place.offset + place.bytes
            with mmap.mmap(file.fileno(), end - start, access=mmap.ACCESS_READ, offset=start) as m:
                _update(digest, m, place.offset - start)
    return f"{place.name!r} {place.type} {place.shape} {digest.hexdigest()}"


def _update(digest: hashlib._Hash, data: mmap.mmap, first: int) -> None:
    with memoryview(data) as view:
        for at in range(first, len(view), _CHUNK):
            with view[at : at + _CHUNK] as piece:
                digest.update(piece)
