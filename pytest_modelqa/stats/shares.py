"""Shares as people read them."""

from __future__ import annotations

import math

_ROUNDING = 1e-7
"""0.57 * 10000 is 5699.999...: without this 57 % would be shown as 56.99 %."""


def steps_below(share: float, steps: int) -> int:
    """How many of `steps` to 1 a share from 0 to 1 reaches: nothing rounds up to a threshold."""
    return math.floor(share * steps + _ROUNDING)
