"""From what a known-good conversion measures to what a candidate of its type may.

Every limit is the measured value, at the bad end of its interval, times a factor. A finer type of
the same family is never allowed more than a coarser one: where it measures worse (K-quants that
fall back, because rows are no multiple of 256), it is held to the coarser one's limits. And what
measures worse than the ceiling of its type is no known-good conversion: the ceiling holds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any

from pytest_modelqa.checks.parity.budget import Limits, ceiling
from pytest_modelqa.checks.parity.positions import Compared, equal_top1, every, fresh
from pytest_modelqa.core.comparison.logits import NoiseMeasured
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.stats import needed_n
from pytest_modelqa.stats.clustered import mean_of, share_bounds

FACTOR = 1.5
"""Other prompts, another build of the engine: half as much again as was measured. Two builds of
llama.cpp were seen to differ by half of what a Q4_K_M differs from its reference."""

FACTOR_OF_ONE = 10.0
"""The largest of all positions is one draw from a heavy tail: a bound against wrecks alone."""

_ORDERED = ("max_kl", "max_kl_p99", "max_kl_max", "tolerance")
_TYPE = re.compile(r"^i?q(\d)_(.+)$")


def measured(seen: Compared) -> dict[str, float]:
    """What a conversion measures, as it is written into the budget. Raises Refused (no numbers)."""
    kl = fresh(seen, "kl")
    if not kl or not all(map(math.isfinite, chain.from_iterable(kl))):
        raise Refused("this conversion is no known-good one: its logits are not finite")
    mean, same = mean_of(every(seen, "kl")), equal_top1(seen)
    bounds = share_bounds(same)
    margin = mean.margin()
    if margin is None or bounds is None:
        raise Refused("one prompt tells no error", remedy="calibrate on two prompts or more")
    each = sorted(chain.from_iterable(kl))
    return {
        "texts": mean.groups,
        "positions": len(each),
        "kl_mean": mean.mean,
        "kl_margin": margin,
        "kl_p99": _p99(each),
        "kl_max": each[-1],
        "top1": mean_of(same).mean,
        "top1_low": bounds[0],
        "topk": mean_of(every(seen, "topk")).mean,
        "cosine_min": min(chain.from_iterable(fresh(seen, "cosine"))),
        "nmse_max": max(chain.from_iterable(fresh(seen, "nmse"))),
        "gap_shift_max": max(map(abs, chain.from_iterable(fresh(seen, "gap_shift")))),
    }


def limits(found: Mapping[str, float], noise: NoiseMeasured) -> dict[str, float]:
    """The measured values times their factors, and never below the noise of either side."""
    ways = (*noise.reference, *noise.candidate)
    values = {
        "max_kl": max(found["kl_mean"] + found["kl_margin"], *(w.kl_mean for w in ways)),
        "max_kl_p99": max(found["kl_p99"], *(w.kl_max for w in ways)),
        "tolerance": max(found["gap_shift_max"], *(w.gap_shift for w in ways)),
    }
    widest = FACTOR_OF_ONE * max(found["kl_max"], *(w.kl_max for w in ways))
    return {
        **{name: FACTOR * value for name, value in values.items()},
        "max_kl_max": widest,
        "min_top1": max(0.0, 1 - FACTOR * (1 - found["top1_low"])),
    }


def in_order(entries: Mapping[str, dict[str, Any]]) -> None:
    """Hold every type to its ceiling and to the coarser ones of its family; `note` says so."""
    for name in sorted(entries, key=_bits):
        _hold_to_ceiling(entries[name], ceiling(name))
        coarser = [o for o in entries if _family(o) == _family(name) and _bits(o) < _bits(name)]
        for other in coarser:
            _hold(entries[name], entries[other], other)


def _hold_to_ceiling(entry: dict[str, Any], most: Limits) -> None:
    own = entry["measured"]["kl_mean"]
    if most.max_kl is None or own <= most.max_kl:
        return
    for limit in _ORDERED:
        if (value := getattr(most, limit)) is not None:
            entry["limits"][limit] = min(entry["limits"][limit], value)
    entry["note"] = (
        f"no known-good conversion: mean KL {own:.3g} is beyond the ceiling of its type, "
        f"{most.max_kl:.3g}, which holds instead"
    )


def _hold(entry: dict[str, Any], coarser: Mapping[str, Any], other: str) -> None:
    own, theirs = entry["measured"]["kl_mean"], coarser["measured"]["kl_mean"]
    for limit in _ORDERED:
        entry["limits"][limit] = min(entry["limits"][limit], coarser["limits"][limit])
    if own > theirs:
        told = (
            f"worse than {other} (mean KL {own:.3g}, not {theirs:.3g}): held to its limits; "
            "`modelqa inspect` tells which types its tensors fell back to"
        )
        entry["note"] = "; ".join(filter(None, (entry["note"], told)))


def _p99(ordered: list[float]) -> float:
    """The nearest-rank percentile; the largest value where too few speak of a percentile."""
    if len(ordered) < needed_n(0.99):
        return ordered[-1]
    return ordered[math.ceil(0.99 * len(ordered)) - 1]


def _bits(name: str) -> int:
    found = _TYPE.match(name)
    return int(found[1]) if found else 0


def _family(name: str) -> str:
    """Types of one way of quantising: k for K-quants, else what follows the bits."""
    found = _TYPE.match(name)
    if not found:
        return name
    return "k" if found[2].startswith("k") else found[2]
