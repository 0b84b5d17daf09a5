"""Gates of a ship decision: counts to a gauge that is cleared, blocked or inconclusive.

Two policies. Without a confidence the point estimate decides: the counts are compared with the
threshold as fractions, so 95 of 100 reach 0.95. With one the exact one-sided bounds decide, and
what lies between them is inconclusive. Nothing measured is inconclusive by either.

F1 = 2J / (1 + J) with J = TP / (TP + FP + FN), which grows with J: J is a plain rate, given how
many answers are true negatives, so that its exact bounds become those of F1.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from fractions import Fraction
from statistics import NormalDist

from pytest_modelqa.core.shipping import Confusion, Demand, Gauge, Paired, State
from pytest_modelqa.stats import clopper_pearson_lower, clopper_pearson_upper, wilson

CONFIDENCE = 0.95
"""Of the reported one-sided bound where the demand sets none."""

MOST = 1_000_000
"""No plan asks for more answers than this: beyond it none would decide."""

_ROUNDING = 1e-9
"""Relative, of a tail probability in float64."""

_HALVINGS = 80
"""Of an interval of length 2 in float64: more change nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Trials:
    """`k` of `n` independent trials, whose rate maps to the metric."""

    k: int
    n: int
    is_f1: bool

    def metric(self, rate: float) -> float:
        """The metric at a rate of the trials."""
        return 2 * rate / (1 + rate) if self.is_f1 else rate

    def lower(self, alpha: float) -> float:
        """The exact one-sided bound of the metric from below."""
        return self.metric(clopper_pearson_lower(self.k, self.n, alpha))

    def upper(self, alpha: float) -> float:
        """The exact one-sided bound of the metric from above."""
        return self.metric(clopper_pearson_upper(self.k, self.n, alpha))

    def exact(self) -> Fraction:
        """The metric of the counts; 0 without trials."""
        if not self.n:
            return Fraction(0)
        rate = Fraction(self.k, self.n)
        return 2 * rate / (1 + rate) if self.is_f1 else rate

    def rate_of(self, threshold: Fraction) -> Fraction:
        """The rate of the trials at which the metric is `threshold`."""
        return threshold / (2 - threshold) if self.is_f1 else threshold


def measured(
    demand: Demand,
    *,
    passed: int,
    n: int,
    confusion: Confusion | None = None,
    paired: Paired | None = None,
) -> Gauge:
    """What `passed` of `n` answers say of a demand. F1 needs the confusion of the same answers.

    An answer of neither class is a false negative where the positive class was right and a false
    positive where the negative was, so that the four counts sum to n and the true ones to `passed`.
    Raises ValueError where counts contradict each other or the demand, and where the threshold is
    no share or the confidence no share strictly between 0 and 1.
    """
    trials = _trials(demand, passed, n, confusion)
    low, high = (trials.metric(end) for end in wilson(trials.k, trials.n))
    state = _state(demand, trials)
    needed = _needed(demand, trials) if state == "inconclusive" else None
    return Gauge(
        demand=demand,
        n=n,
        passed=passed,
        value=float(trials.exact()),
        low=low,
        high=high,
        lower=trials.lower(_alpha(demand)),
        state=state,
        needed=None if needed is None else _answers(needed, n, trials.n),
        confusion=confusion,
        paired=paired,
    )


def paired(
    candidate: Sequence[bool], baseline: Sequence[bool], *, confidence: float = CONFIDENCE
) -> Paired:
    """Candidate against baseline, item by item: McNemar's exact test, and a bound of the effect.

    `p_value` is two-sided: min(1, 2 P[Binomial(b + c, 1/2) <= min(b, c)]) of the b lost and c won
    (Q. McNemar, Psychometrika 12, 1947, 153-157, with the binomial in place of chi-squared).
    `lower` is T. Tango's score bound, one-sided at `confidence` (Statistics in Medicine 17, 1998,
    891-908): it has a width where all pairs agree. Without pairs they are 1 and -1. Raises
    ValueError where the two are not of one length.
    """
    if len(candidate) != len(baseline):
        raise ValueError(f"{len(candidate)} answers against {len(baseline)} are no pairs")
    _require_confidence(confidence)
    pairs = [(bool(ours), bool(theirs)) for ours, theirs in zip(candidate, baseline, strict=True)]
    lost, won = pairs.count((False, True)), pairs.count((True, False))
    return Paired(
        both=pairs.count((True, True)),
        lost=lost,
        won=won,
        neither=pairs.count((False, False)),
        p_value=mcnemar(lost, won),
        lower=tango_lower(lost, won, len(pairs), confidence),
    )


def mcnemar(lost: int, won: int) -> float:
    """The exact two-sided p-value of that many discordant pairs; 1 without any."""
    discordant = lost + won
    tail = sum(math.comb(discordant, i) for i in range(min(lost, won) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**discordant)))


def tango_lower(lost: int, won: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The least difference of rates (won less lost, of n pairs) that the score test leaves.

    From -1 to 1. Raises ValueError where the counts are no part of n.
    """
    if min(lost, won) < 0 or lost + won > n:
        raise ValueError(f"{lost} lost and {won} won are no part of {n} pairs")
    if lost == n:
        return -1.0
    z = NormalDist().inv_cdf(confidence)
    low, high = -1.0, (won - lost) / n
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _score(lost, won, n, middle) > z:
            low = middle
        else:
            high = middle
    return low


def _score(lost: int, won: int, n: int, difference: float) -> float:
    """Tango's statistic: (won - lost - n d) over its error where d is the true difference."""
    linear = -won - lost + (2 * n - won + lost) * difference
    constant = -lost * difference * (1 - difference)
    root = math.sqrt(max(0.0, linear * linear - 8 * n * constant))
    variance = n * (2 * (root - linear) / (4 * n) + difference * (1 - difference))
    return (won - lost - n * difference) / math.sqrt(max(variance, sys.float_info.min))


def _trials(demand: Demand, passed: int, n: int, confusion: Confusion | None) -> _Trials:
    if not 0 <= demand.threshold <= 1:
        raise ValueError(f"threshold is {demand.threshold}; expected a number from 0 to 1")
    if demand.confidence is not None:
        _require_confidence(demand.confidence)
    if not 0 <= passed <= n:
        raise ValueError(f"{passed} of {n} is no proportion; expected 0 <= passed <= n")
    if demand.metric == "rate":
        return _Trials(passed, n, False)
    if confusion is None:
        raise ValueError("F1 needs the confusion of the answers")
    return _of_confusion(confusion, passed, n)


def _of_confusion(c: Confusion, passed: int, n: int) -> _Trials:
    counts = (c.true_positive, c.false_negative, c.false_positive, c.true_negative)
    right = c.true_positive + c.true_negative
    if min(counts) < 0 or sum(counts) != n or right != passed:
        raise ValueError(
            f"a confusion of {sum(counts)} answers, {right} right, against {passed} of {n}"
        )
    return _Trials(c.true_positive, n - c.true_negative, True)


def _require_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a number between 0 and 1")


def _alpha(demand: Demand) -> float:
    return 1 - (CONFIDENCE if demand.confidence is None else demand.confidence)


def _state(demand: Demand, trials: _Trials) -> State:
    if not trials.n:
        return "inconclusive"
    if demand.confidence is None:
        return "cleared" if trials.exact() >= _decimal(demand.threshold) else "blocked"
    alpha = _alpha(demand)
    if trials.lower(alpha) >= demand.threshold:
        return "cleared"
    return "blocked" if trials.upper(alpha) < demand.threshold else "inconclusive"


def _decimal(threshold: float) -> Fraction:
    """The number that was written: 0.95, not the nearest binary fraction above it."""
    return Fraction(repr(float(threshold)))


def _answers(needed: int, n: int, trials: int) -> int:
    """As many answers as hold that many trials, at their share so far."""
    return math.ceil(Fraction(needed * n, trials)) if trials else n + needed


def _needed(demand: Demand, trials: _Trials) -> int | None:
    """The fewest trials that decide if the rate stays what it is, its misses rounded up.

    A miss is a failure where the rate lies above the threshold's, else a success. So many of them
    decide if the most trials that hold no smaller a share of them do. With a real number of trials
    in place of their floor that is so from one count on, and below it none decides.
    """
    if demand.confidence is None:
        return 1
    limit = trials.rate_of(_decimal(demand.threshold))
    rate = Fraction(trials.k, trials.n) if trials.n else Fraction(1)
    if rate == limit:
        return None
    above = rate > limit
    share = 1 - rate if above else rate

    def decides(misses: int, n: int) -> bool:
        then = dataclasses.replace(trials, k=n - misses if above else misses, n=n)
        return _state(demand, then) == ("cleared" if above else "blocked")

    if not share:
        return _least(0, MOST, decides)
    counts = range(1, math.floor(share * MOST) + 1)
    nearly = _real(float(limit if above else 1 - limit), share, _alpha(demand))
    likely = counts[bisect_left(counts, True, key=nearly) :]
    found = (_least(count, math.floor(count / share), decides) for count in likely)
    return next((n for n in found if n is not None), None)


def _real(rate: float, share: Fraction, alpha: float) -> Callable[[int], bool]:
    """Whether so many misses, `share` of a real number of trials, show at least `rate`.

    P[Binomial(n, 1 - rate) <= f] is the regularised incomplete beta function at (n - f, f + 1).
    """
    from scipy.special import betainc  # noqa: PLC0415 - 100 ms that few runs need

    odds = float(1 / share - 1)
    return lambda f: float(betainc(f * odds, f + 1, rate)) <= alpha * (1 + _ROUNDING)


def _least(misses: int, most: int, decides: Callable[[int, int], bool]) -> int | None:
    """The fewest trials, up to `most`, that decide with so many misses."""
    if not decides(misses, most):
        return None
    trials = range(max(1, misses), most + 1)
    return trials[bisect_left(trials, True, key=lambda n: decides(misses, n))]
