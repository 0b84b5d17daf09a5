"""What the measurements of a merge mean; pure. Every defect is found by its own name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from training.findings import Finding, counted, failed
from training.merge.measured import Divergence, ModuleDelta, Untouched

_COEFFICIENT = 1e-3
"""Float32 leaves 1e-6 here; a wrong alpha differs by at least a part in a hundred in practice."""
_NORM = 1e-3
_OFF = 1e-4
"""Part of elements that may round to another neighbour: sums of r products in another order."""
_KEPT = 0.9
_SAME_LOGITS = 1e-6
"""Nats. Two float32 forward passes of the same weights differ by some 1e-10 a position."""
_OF_EFFECT = 0.1
"""In 16 bits: the merge may move the logits by a tenth of what the adapter itself does."""


def judge_modules(deltas: Sequence[ModuleDelta]) -> list[Finding]:
    """Whether the change of every module is scale * B A, once, with the right alpha."""
    if not deltas:
        return [failed("merge-applied", "no module was measured")]
    return [_applied(deltas), _rank(deltas), _norm(deltas), _exact(deltas), _precision(deltas)]


def judge_untouched(seen: Untouched) -> Finding:
    """Everything else is the base's, bit by bit."""
    problems = [
        *(f"{name} differs from the base's" for name in seen.differing),
        *(f"{name} is missing" for name in seen.missing),
        *(f"{name} is not the base's" for name in seen.added),
    ]
    if problems:
        reason = f"{len(problems)} problems; {problems[0]}"
        return counted("untouched-tensors", len(problems), max(1, seen.tensors), reason)
    return counted("untouched-tensors", 0, seen.tensors, f"{seen.tensors} are bit-identical")


def judge_logits(seen: Divergence, *, half: bool) -> list[Finding]:
    """Whether the merged model is the adapted one, and not the base, at every position."""
    base, merged = seen.of_base, seen.of_merged
    if not base.finite or not merged.finite or base.positions != merged.positions:
        counts = f"{base.positions} and {merged.positions} positions"
        return [failed("merged-logits", f"{counts}, finite: {base.finite}, {merged.finite}")]
    bound = _OF_EFFECT * base.largest if half else _SAME_LOGITS
    return [
        Finding(
            check="adapter-effect",
            value=base.largest,
            least=math.nextafter(_SAME_LOGITS, math.inf),
            tested=base.positions,
            reason=f"the adapter moves the base's logits by {base.largest:.3g} nats at most, "
            f"{base.mean:.3g} on average, over {base.positions} positions",
        ),
        Finding(
            check="merged-logits",
            value=merged.largest,
            most=bound,
            tested=merged.positions,
            reason=f"KL of the merged model from the adapted one at most {merged.largest:.3g} "
            f"nats, the bound is {bound:.3g}, over {merged.positions} positions",
        ),
    ]


def _applied(deltas: Sequence[ModuleDelta]) -> Finding:
    """The adapter is in the weights exactly once; what else happened is said."""
    worst = _worst(deltas, lambda d: d.coefficient - 1)
    reason = f"{len(deltas)} modules changed by their adapter once"
    if count := sum(not abs(d.coefficient - 1) <= _COEFFICIENT for d in deltas):
        times = f"{worst.module}: {worst.coefficient:.4f} times the adapter"
        reason = f"{_meaning(worst.coefficient)} ({times}; {count} of {len(deltas)})"
    return _near_one("merge-applied", worst.coefficient, _COEFFICIENT, len(deltas), reason)


def _meaning(coefficient: float) -> str:
    if math.isnan(coefficient):
        return "the change cannot be measured: the adapter is zero, or something is not finite"
    if abs(coefficient) < 0.01:  # noqa: PLR2004 - a hundredth of the adapter
        return "the merge did nothing: these are the base's weights"
    if abs(coefficient - 2) < 0.01:  # noqa: PLR2004
        return "the adapter was merged twice"
    return f"alpha is wrong: the weights hold {coefficient:.3f} times what it says"


def _rank(deltas: Sequence[ModuleDelta]) -> Finding:
    worst = max(deltas, key=lambda d: d.rank)
    reason = f"at most {worst.rank} in {len(deltas)} modules, the adapter's is {worst.r}"
    if high := sum(d.rank > d.r for d in deltas):
        reason = f"{worst.module} changed with rank {worst.rank}, the adapter's is {worst.r}"
        reason += f"; {high} of {len(deltas)} modules"
    return Finding(
        check="merge-rank", value=worst.rank, most=worst.r, tested=len(deltas), reason=reason
    )


def _norm(deltas: Sequence[ModuleDelta]) -> Finding:
    def ratio(d: ModuleDelta) -> float:
        return d.found_norm / d.expected_norm if d.expected_norm else math.nan

    worst = _worst(deltas, lambda d: ratio(d) - 1)
    reason = f"{worst.module}: norm of the change {worst.found_norm:.6g}, of scale * B A "
    reason += f"{worst.expected_norm:.6g}, the farthest of {len(deltas)}"
    return _near_one("merge-norm", ratio(worst), _NORM, len(deltas), reason)


def _exact(deltas: Sequence[ModuleDelta]) -> Finding:
    worst = _worst(deltas, lambda d: d.off)
    reason = f"{worst.module}: {worst.off:.2%} of the weights are not base + scale * B A"
    return Finding(
        check="merge-exact",
        value=worst.off,
        most=_OFF,
        tested=len(deltas),
        reason=f"{reason}, the most of {len(deltas)}",
    )


def _precision(deltas: Sequence[ModuleDelta]) -> Finding:
    """A 16-bit type may round a small change away."""
    worst = min(deltas, key=lambda d: (not math.isnan(d.kept), d.kept))
    reason = f"{worst.module} keeps {worst.kept:.1%} of its change after rounding"
    return Finding(
        check="merge-precision",
        value=worst.kept,
        least=_KEPT,
        tested=len(deltas),
        reason=f"{reason}, the least of {len(deltas)}",
    )


def _near_one(check: str, value: float, error: float, tested: int, reason: str) -> Finding:
    return Finding(
        check=check, value=value, least=1 - error, most=1 + error, tested=tested, reason=reason
    )


def _worst(deltas: Sequence[ModuleDelta], error: Callable[[ModuleDelta], float]) -> ModuleDelta:
    """The one with the largest error; NaN counts as the largest."""
    return max(deltas, key=lambda d: math.inf if math.isnan(error(d)) else abs(error(d)))
