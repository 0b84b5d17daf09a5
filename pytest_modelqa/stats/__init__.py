"""Statistics of gates and reports: pure functions, each with its source.

Rates are k successes of n trials. Intervals are pairs (low, high) of rates from 0 to 1.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

Z95 = 1.96
"""Two-sided 95 % quantile of the normal distribution."""

MAD_TO_SIGMA = 1.4826
"""1 / Phi^-1(3/4): scales the median absolute deviation to a normal's standard deviation."""


def wilson(k: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The score interval of a rate, for reports (E. B. Wilson, JASA 22, 1927, 209-212).

    Good on average, below its nominal coverage near 0 and 1: gates use `clopper_pearson_lower`.
    Without trials it is (0, 1). Raises ValueError unless 0 <= k <= n.
    """
    _require_counts(k, n)
    if n == 0:
        return 0.0, 1.0
    p, zz = k / n, z * z
    centre = (p + zz / (2 * n)) / (1 + zz / n)
    half = z * math.sqrt(p * (1 - p) / n + zz / (4 * n * n)) / (1 + zz / n)
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return low, high


def clopper_pearson_lower(k: int, n: int, alpha: float = 0.05) -> float:
    """One-sided exact lower bound of a rate at confidence 1 - alpha; 0 where k is 0.

    C. J. Clopper and E. S. Pearson, Biometrika 26, 1934, 404-413, as the quantile of
    Beta(k, n - k + 1). Covers at least nominally, so a gate may rely on it.
    """
    _require_counts(k, n)
    if k == 0:
        return 0.0
    from scipy.special import betaincinv  # noqa: PLC0415 - 100 ms that few runs need

    return float(betaincinv(k, n - k + 1, alpha))


def clopper_pearson_upper(k: int, n: int, alpha: float = 0.05) -> float:
    """One-sided exact upper bound of a rate: one minus the lower bound of failures."""
    _require_counts(k, n)
    return 1.0 - clopper_pearson_lower(n - k, n, alpha)


def needed_n(rate: float, *, failures: int = 0, alpha: float = 0.05) -> int:
    """The fewest trials that can show a rate >= `rate`, when `failures` of them fail.

    The zero-failure rule n = ceil(ln alpha / ln rate) and its extension: the smallest n with
    P[Binomial(n, 1 - rate) <= failures] <= alpha. Raises ValueError unless 0 < rate < 1.
    """
    _require_share("rate", rate)
    _require_share("alpha", alpha)
    if failures < 0:
        raise ValueError(f"failures is {failures}; expected 0 or more")
    enough = 1
    while _at_most(failures, enough, rate) > alpha:
        enough *= 2
    candidates = range(enough + 1)
    return bisect_left(candidates, True, key=lambda n: _at_most(failures, n, rate) <= alpha)


def percentile(values: Sequence[float], share: float, *, confidence: float = 0.95) -> float | None:
    """The nearest-rank percentile, or None where the sample is too small to speak of it.

    Enough is `needed_n(share)`: then the largest value exceeds the percentile with `confidence`, so
    that it has any finite upper bound at all (order statistics; MLPerf LoadGen's early stopping
    without over-latency queries). At 95 %: p50 needs 5 values, p90 29, p95 59, p99 299.
    """
    _require_finite(values)
    if len(values) < needed_n(share, alpha=1 - confidence):
        return None
    # 0.55 * 100 is 55.00000000000001: without the margin the rank would be one too high.
    rank = math.ceil(share * len(values) - 1e-9)
    return sorted(values)[max(rank, 1) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median of n values, and their scaled median absolute deviation, in the values' unit."""

    n: int
    median: float
    deviation: float


def spread(values: Sequence[float]) -> Spread | None:
    """Median and spread that one outlier does not move; None of fewer than two values.

    F. R. Hampel, JASA 69, 1974, 383-393: the median absolute deviation, times 1.4826.
    """
    _require_finite(values)
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return None
    middle = median(values)
    deviation = MAD_TO_SIGMA * median(abs(v - middle) for v in values)
    return Spread(n=len(values), median=middle, deviation=deviation)


def _at_most(failures: int, n: int, rate: float) -> float:
    """P[Binomial(n, 1 - rate) <= failures]."""
    return math.fsum(
        math.comb(n, i) * (1 - rate) ** i * rate ** (n - i) for i in range(min(failures, n) + 1)
    )


def _require_counts(k: int, n: int) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no proportion; expected 0 <= k <= n")


def _require_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; expected a number between 0 and 1, both excluded")


def _require_finite(values: Sequence[float]) -> None:
    if bad := [v for v in values if not math.isfinite(v)]:
        raise ValueError(f"{len(bad)} of {len(values)} values are NaN or infinite: {bad[0]}")
