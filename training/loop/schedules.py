"""Learning rates as formulas, independent of the library that trains.

Sources: linear warm-up and cosine decay as in Loshchilov and Hutter, "SGDR" (2017), half a cycle;
transformers' `get_cosine_schedule_with_warmup` states the same.
"""

from __future__ import annotations

import math

KINDS = ("cosine", "linear", "constant", "constant_with_warmup")


def rate(step: int, *, kind: str, peak: float, warmup: int, total: int) -> float:
    """The rate with which optimizer step `step` (from 0) is made.

    Raises ValueError for a kind that is not known.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown schedule {kind!r}")
    if kind == "constant":
        return peak
    if step < warmup:
        return peak * step / max(1, warmup)
    if kind == "constant_with_warmup":
        return peak
    done = (step - warmup) / max(1, total - warmup)
    if kind == "linear":
        return peak * max(0.0, 1 - done)
    return peak * max(0.0, 0.5 * (1 + math.cos(math.pi * done)))
