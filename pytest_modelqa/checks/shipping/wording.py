"""What a harness found, in one line; and the answers that did not pass."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_modelqa.core.shipping import Confusion, Gauge
from pytest_modelqa.core.verdict import Outcome, Part
from pytest_modelqa.stats.gates import CONFIDENCE
from pytest_modelqa.stats.shares import steps_below

MOST_TOLD = 10
"""Answers that are listed; the rest are counted, and stand in the evidence."""


def gauge_told(gauge: Gauge) -> str:
    """Counts, the metric, both intervals, the threshold, and what that comes to."""
    demand = gauge.demand
    level = f"{100 * (demand.confidence or CONFIDENCE):g} %"
    metric = _told(gauge.value)
    if gauge.confusion is not None:
        metric = f"F1 {metric} ({_classes_told(gauge.confusion)})"
    by = f"the bound at {level}" if demand.confidence else "the point estimate"
    needed = ""
    if gauge.state == "inconclusive" and gauge.needed:
        needed = f"; about {gauge.needed} answers would decide"
    return (
        f"{gauge.passed} of {gauge.n} passed: {metric} against {demand.threshold:g}, "
        f"{gauge.state} by {by} (Wilson 95 % {_told(gauge.low)} to {gauge.high:.3f}, exact "
        f"lower bound {_told(gauge.lower)} at {level}){needed}"
    )


def _told(share: float) -> str:
    """Thousandths, rounded down: nothing rounds up to a threshold."""
    return f"{steps_below(share, 1000) / 1000:.3f}"


def _classes_told(c: Confusion) -> str:
    found, right = c.true_positive + c.false_positive, c.true_positive + c.false_negative
    precision = c.true_positive / found if found else 0.0
    recall = c.true_positive / right if right else 0.0
    return f"precision {precision:.3f}, recall {recall:.3f}"


def failures_told(parts: Sequence[Part]) -> str:
    """The first answers that did not pass, one a line."""
    failed = [part for part in parts if part.outcome is not Outcome.CORROBORATED]
    lines = [f"{part.name}: {part.outcome}: {part.reason}" for part in failed[:MOST_TOLD]]
    if len(failed) > MOST_TOLD:
        lines.append(f"and {len(failed) - MOST_TOLD} more")
    return "\n".join(lines)
