"""The reference, quantised again by the type's own rule: what a sound candidate's values are.

Where the reference's values lie on a grid themselves (it was dequantised from another type), the
error of a sound quantiser is no longer that of a uniform one; its values are still these.
"""

from __future__ import annotations

from math import lcm, sqrt
from typing import NamedTuple

import numpy as np

from pytest_modelqa.artifacts.differential.reading import CHUNK, Floats, Source, decode

_KNOWN = frozenset({"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
"""Types that `gguf.quants` quantises, by the same rule as llama.cpp without importance."""
_SAMPLE = 16
"""Pieces of 16,384 values that say what the quantiser does to all."""


class Requantised(NamedTuple):
    """Distances of candidate c and quantised reference q, relative to ||q||.

    `apart` is ||c - q||, `residual` what is left of it by the factor c.q / q.q; `error` is
    ||q - r|| / ||r||.
    """

    apart: float
    factor: float
    residual: float
    error: float


def requantised(candidate: Source, reference: Source, *, whole: bool) -> Requantised | None:
    """Quantise the reference, `whole` or a sample of its rows.

    None where this type has no quantiser here.
    """
    if candidate.type not in _KNOWN:
        return None
    from gguf import GGMLQuantizationType  # noqa: PLC0415 - only where such a type is met
    from gguf.quants import quantize  # noqa: PLC0415

    kind = GGMLQuantizationType[candidate.type]
    unit = lcm(candidate.unit, reference.unit)
    count = max(CHUNK // 4 // reference.cols // unit, 1) * unit
    cc = cq = qq = rr = apart = error = 0.0
    starts = range(0, reference.rows, count)
    for start in starts if whole else starts[:: -(-len(starts) // _SAMPLE)]:
        stop = min(start + count, reference.rows)
        c = candidate.slice(start, stop).reshape(-1)
        r = reference.slice(start, stop)
        r = r.reshape(-1)
        q = decode(candidate.type, np.asarray(quantize(r[np.newaxis], kind))).reshape(-1)
        cc, cq, qq, rr = cc + _dot(c, c), cq + _dot(c, q), qq + _dot(q, q), rr + _dot(r, r)
        apart, error = apart + _dot(c - q, c - q), error + _dot(q - r, q - r)
    if not qq or not rr:
        return None
    return Requantised(
        apart=sqrt(apart / qq),
        factor=cq / qq,
        residual=sqrt(max(cc - cq * cq / qq, 0.0) / qq),
        error=sqrt(error / rr),
    )


def _dot(one: Floats, two: Floats) -> float:
    return float(one @ two)
