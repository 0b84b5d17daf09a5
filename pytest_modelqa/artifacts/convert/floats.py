"""Floating-point bytes from one width to another, rounded to nearest, ties to even."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.errors import Refused

Floats = NDArray[np.float32]
Bytes = NDArray[Any]

WIDTHS = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8}
TORCH_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_NUMPY = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}
_MAGNITUDE, _INFINITE = 0x7FFF, 0x7F80
"""Of bfloat16: all bits but the sign, and what they are for infinity."""
_QUIET = 0x40
"""Set in the upper half of a NaN, so that cutting off the lower half leaves a NaN."""


def decode(raw: Bytes, dtype: str) -> Floats:
    """Flat float32 of stored bytes; float64 is rounded, the others are held exactly."""
    if dtype == "BF16":
        return (raw.view("<u2").astype("<u4") << 16).view("<f4")
    with np.errstate(over="ignore"):
        return np.asarray(raw.view(_NUMPY[dtype]).astype("<f4"))


def encode(values: Floats, dtype: str, name: str) -> Bytes:
    """Stored form of float32 values, of their shape.

    Raises Refused where a finite value of tensor `name` does not fit the narrower range.
    """
    if dtype == "F32":
        return np.ascontiguousarray(values, dtype="<f4")
    if dtype == "BF16":
        stored: Bytes = _bf16(np.ascontiguousarray(values, dtype="<f4"))
        infinite = (stored & _MAGNITUDE) == _INFINITE
    else:
        with np.errstate(over="ignore"):
            stored = values.astype(_NUMPY[dtype])
        infinite = np.isinf(stored)
    if infinite.any() and (lost := int((infinite & np.isfinite(values)).sum())):
        raise Refused(
            f"{lost:,} values of {name} are too large for {dtype.lower()}",
            where=name,
            remedy="convert to bf16 or f32",
        )
    return stored


def _bf16(values: Floats) -> Bytes:
    bits = values.view("<u4")
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return np.where(np.isnan(values), (bits >> 16) | _QUIET, rounded).astype("<u2")
