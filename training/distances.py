"""How far two models lie apart over many positions: KL divergences in nats, summed up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """Over all positions; `finite` is false where any is NaN or Inf, or where there are none."""

    positions: int
    mean: float
    largest: float
    finite: bool


def largest(values: Sequence[float]) -> float:
    """The largest of some; NaN where any is, or where there are none."""
    odd = not values or any(map(math.isnan, values))
    return math.nan if odd else max(values)


def summary(values: Sequence[float]) -> Distances:
    """Mean and largest; NaN is never smaller than a number."""
    finite = bool(values) and all(map(math.isfinite, values))
    return Distances(
        positions=len(values),
        mean=math.fsum(values) / len(values) if finite else math.nan,
        largest=max(values) if finite else math.nan,
        finite=finite,
    )
