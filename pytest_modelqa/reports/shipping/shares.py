"""Shares as JSON and as text: nothing that is unknown becomes a number."""

from __future__ import annotations

import math

from pytest_modelqa.stats.shares import steps_below

_HUNDREDTHS = 10_000


def as_share(share: float | None) -> float | None:
    """None where it is unknown: JSON has no NaN."""
    return None if share is None or math.isnan(share) else share


def percentage(share: float | None) -> float | None:
    """In percent, hundredths rounded down, so that nothing rounds up to a threshold."""
    known = as_share(share)
    return None if known is None else steps_below(known, _HUNDREDTHS) / 100


def percent(share: float | None) -> str:
    """`95.5 %`, or `-` where it is unknown."""
    known = percentage(share)
    return "-" if known is None else f"{known:g} %"
