"""Whether a loss curve is that of a run that learnt: finite, falling, without spikes; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

from training.distances import largest
from training.findings import Finding, counted, too_few
from training.loop.schedules import rate

_NEIGHBOURS = 10
_SPIKE_FACTOR = 2.0
"""A step's loss above twice the median of the steps before it, and far beyond their spread."""
_SPIKE_SIGMAS = 6.0
_MAD_TO_SIGMA = 1.4826
"""Of a normal distribution: standard deviation over median absolute deviation."""
_FEWEST = 8
_ALLOWED_SPIKES = 0.01
"""Part of all steps: single odd batches happen, a run that diverges has many in a row."""
_RATE_ERROR = 1e-6
"""Relative: both are computed in float64; six decimals leave room for another order of sums."""


def finite(losses: Sequence[float]) -> Finding:
    """No NaN or Inf; the first is named with its step, counted from 1."""
    if not losses:
        return counted("loss-finite", 1, 1, "no step was recorded")
    odd = [(step, loss) for step, loss in enumerate(losses, start=1) if not math.isfinite(loss)]
    reason = f"{len(losses)} steps"
    if odd:
        reason = f"the loss of step {odd[0][0]} of {len(losses)} is {odd[0][1]}"
    return counted("loss-finite", len(odd), len(losses), reason)


def smooth(losses: Sequence[float]) -> Finding:
    """No spikes: judged against the median and the spread of the ten steps before."""
    if len(losses) < _FEWEST:
        return too_few("loss-smooth", f"{len(losses)} steps cannot tell; {_FEWEST} would")
    if not all(map(math.isfinite, losses)):
        return counted("loss-smooth", len(losses), len(losses), "a loss is not finite")
    spikes = [i + 1 for i in range(_FEWEST // 2, len(losses)) if _is_spike(losses, i)]
    allowed = max(1, int(_ALLOWED_SPIKES * len(losses)))
    where = f", the first at step {spikes[0]}" if spikes else ""
    reason = f"{len(spikes)} spikes in {len(losses)} steps{where}; {allowed} allowed"
    return Finding(
        check="loss-smooth", value=len(spikes), most=allowed, tested=len(losses), reason=reason
    )


def _is_spike(losses: Sequence[float], at: int) -> bool:
    before = losses[max(0, at - _NEIGHBOURS) : at]
    usual = median(before)
    spread = _MAD_TO_SIGMA * median([abs(x - usual) for x in before])
    return losses[at] > max(_SPIKE_FACTOR * usual, usual + _SPIKE_SIGMAS * spread)


def falling(losses: Sequence[float]) -> Finding:
    """The mean of the last quarter of the steps is below that of the first quarter."""
    if len(losses) < _FEWEST:
        return too_few("loss-falls", f"{len(losses)} steps cannot tell; {_FEWEST} would")
    part = len(losses) // 4
    first, last = fmean(losses[:part]), fmean(losses[-part:])
    reason = f"mean of the first {part} steps {first:.4f}, of the last {part} {last:.4f}"
    below = math.nextafter(first, -math.inf)
    return Finding(check="loss-falls", value=last, most=below, tested=len(losses), reason=reason)


def scheduled(rates: Sequence[float], *, kind: str, peak: float, warmup: int) -> Finding:
    """The recorded learning rates are those of the configured schedule, step by step."""
    if not rates:
        return counted("learning-rate", 1, 1, "no step was recorded")
    wanted = [
        rate(step, kind=kind, peak=peak, warmup=warmup, total=len(rates))
        for step in range(len(rates))
    ]
    errors = [abs(found - due) / peak for found, due in zip(rates, wanted, strict=True)]
    reason = f"{len(rates)} steps follow the {kind} schedule"
    off = next((step for step, error in enumerate(errors) if not error <= _RATE_ERROR), None)
    if off is not None:
        reason = (
            f"step {off + 1} of {len(rates)} used {rates[off]:.6g}, the {kind} schedule with "
            f"peak {peak:.6g} and {warmup} steps of warm-up says {wanted[off]:.6g}"
        )
    return Finding(
        check="learning-rate",
        value=largest(errors),
        most=_RATE_ERROR,
        tested=len(rates),
        reason=reason,
    )
