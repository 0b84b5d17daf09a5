"""Statistics of stored values, tensor by tensor, in chunks: memory stays bounded."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isnan, sqrt

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts.fingerprint import Place

_THREADS = 2
_LARGEST_HALF = 65504.0
_WEIGHTS = 1 << 16
"""A chunk: its float32 values fit a core's second-level cache."""
BLOCKED = {"Q8_0": 34, "Q4_0": 18, "Q4_1": 20, "Q5_0": 22, "Q5_1": 24}
_BLOCK = 32
PLAIN = {"F32": ("<f4", 4), "F16": ("<f2", 2), "BF16": ("<u2", 2)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Of one tensor. `zero` is the share of exact zeros; `l2` the root of the sum of squares."""

    weights: int
    mean: float
    std: float
    min: float
    max: float
    zero: float
    l2: float


def all_moments(places: Sequence[Place]) -> dict[str, Moments | None]:
    """Of every tensor, by name, on two threads: numpy lets go of the interpreter's lock."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip((p.name for p in places), pool.map(moments, places), strict=True))


def moments(place: Place) -> Moments | None:
    """Read a tensor's values. None where its type is not decoded here."""
    kind = place.type.upper()
    if not place.bytes or kind not in (*PLAIN, *BLOCKED):
        return None
    size = PLAIN[kind][1] * _WEIGHTS if kind in PLAIN else BLOCKED[kind] * _WEIGHTS // _BLOCK
    raw = np.memmap(place.file, dtype=np.uint8, mode="r")[place.offset : place.offset + place.bytes]
    count, zeros, total, squares = 0, 0, 0.0, 0.0
    low, high = float("inf"), float("-inf")
    with np.errstate(all="ignore"):  # NaN and Inf are the scan's findings, here they show as such
        for at in range(0, place.bytes, size):
            values = decoded(kind, raw[at : at + size])
            count += values.size
            zeros += values.size - int(np.count_nonzero(values))
            total += float(values.sum(dtype=np.float32))
            squares += float(np.dot(values, values))
            least, most = float(values.min()), float(values.max())
            low = least if isnan(least) else min(low, least)
            high = most if isnan(most) else max(high, most)
    mean = total / count
    return Moments(weights=count, mean=mean, std=sqrt(max(squares / count - mean * mean, 0.0)),
                   min=low, max=high, zero=zeros / count, l2=sqrt(squares))  # fmt: skip


def decoded(kind: str, raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Values as float32, shape (weights,); `kind` is one of PLAIN or BLOCKED."""
    if kind == "BF16":
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    if kind == "F16":
        return _halves(raw)
    if kind in PLAIN:
        return raw.view(PLAIN[kind][0]).astype(np.float32, copy=False)
    blocks = raw.reshape(-1, BLOCKED[kind])
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    if kind == "Q8_0":
        return (blocks[:, 2:].view(np.int8) * scale).reshape(-1)
    nibbles = blocks[:, -16:]
    steps = np.concatenate((nibbles & 15, nibbles >> 4), axis=1)
    if kind in ("Q5_0", "Q5_1"):  # the fifth bits of all 32 come before, the first one lowest
        steps |= np.unpackbits(blocks[:, -20:-16], axis=1, bitorder="little") << 4
    values = steps.astype(np.float32)
    if kind in ("Q4_0", "Q5_0"):
        return ((values - (8 if kind == "Q4_0" else 16)) * scale).reshape(-1)
    least = np.ascontiguousarray(blocks[:, 2:4]).view("<f2").astype(np.float32)
    shifted: NDArray[np.float32] = (values * scale + least).reshape(-1)
    return shifted


def _halves(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Float16 by shifts: numpy's own conversion is up to seven times slower.

    Exponent and mantissa move to their places in float32; 2**112 makes up for the other bias.
    """
    bits = raw.view("<i2").astype(np.int32)
    bits <<= 13
    bits &= np.int32(-0x70002000)  # 0x8FFFE000: the copies of the sign go, but one
    values = bits.view(np.float32)
    values *= np.float32(2.0**112)
    if values.max() > _LARGEST_HALF or values.min() < -_LARGEST_HALF:  # Inf and NaN are no numbers
        return raw.view("<f2").astype(np.float32)
    return values
