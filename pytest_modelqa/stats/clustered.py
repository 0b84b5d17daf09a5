"""Means of values that come in groups, with an error that admits it.

Positions of one prompt are alike: errors that take them for independent come out several times too
small. Here a group (a prompt) is one observation of the error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_modelqa.stats import clopper_pearson_lower, clopper_pearson_upper

CONFIDENCE = 0.95
"""One-sided: what a bound holds with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean of `n` values in `groups`, and its standard error; None of fewer than two groups."""

    n: int
    groups: int
    mean: float
    error: float | None

    def margin(self, confidence: float = CONFIDENCE) -> float | None:
        """Half the width of the two-sided interval whose ends each hold with `confidence`.

        Student's t with groups - 1 degrees of freedom; None where there is no error.
        """
        if self.error is None:
            return None
        from scipy.special import stdtrit  # noqa: PLC0415 - 100 ms that few runs need

        return float(stdtrit(self.groups - 1, confidence)) * self.error


def mean_of(groups: Sequence[Sequence[float]]) -> Mean:
    """The pooled mean, with the standard error clustered by group.

    SE^2 = G/(G-1) * (1/N^2) * sum_g (sum_{i in g} (x_i - mean))^2: the cluster-robust estimator
    (K.-Y. Liang and S. L. Zeger, Biometrika 73, 1986, 13-22) of a mean, as mlx-kld prints it.
    Empty groups do not count. Raises ValueError without values, and where one is NaN or infinite.
    """
    filled = [group for group in groups if len(group)]
    values = [value for group in filled for value in group]
    if not values:
        raise ValueError("no values, so no mean")
    if bad := [v for v in values if not math.isfinite(v)]:
        raise ValueError(f"{len(bad)} of {len(values)} values are NaN or infinite: {bad[0]}")
    mean = math.fsum(values) / len(values)
    return Mean(n=len(values), groups=len(filled), mean=mean, error=_error(filled, mean))


def _error(groups: Sequence[Sequence[float]], mean: float) -> float | None:
    count = len(groups)
    if count < 2:  # noqa: PLR2004 - one group has no spread
        return None
    sums = (math.fsum(x - mean for x in group) for group in groups)
    total = sum(map(len, groups))
    return math.sqrt(count / (count - 1) * math.fsum(s * s for s in sums)) / total


def share_bounds(
    groups: Sequence[Sequence[bool]], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """One-sided bounds of a share of trues, each with `confidence`; None of fewer than two groups.

    The wider of the clustered interval and Clopper and Pearson's: the first collapses to nothing
    where all values agree, the second takes values of one group for independent.
    """
    share = mean_of(groups)
    margin = share.margin(confidence)
    if margin is None:
        return None
    k = sum(map(sum, groups))
    low = clopper_pearson_lower(k, share.n, 1 - confidence)
    high = clopper_pearson_upper(k, share.n, 1 - confidence)
    return max(0.0, min(low, share.mean - margin)), min(1.0, max(high, share.mean + margin))


def groups_needed(found: Mean, limit: float) -> int | None:
    """How many groups like these would put the whole interval on one side of `limit`.

    From the error's fall with the root of their number; None where no number would (no error to
    go by, or a mean that is the limit).
    """
    margin = found.margin()
    away = abs(found.mean - limit)
    if margin is None or not away:
        return None
    return max(found.groups + 1, math.ceil(found.groups * (margin / away) ** 2))
