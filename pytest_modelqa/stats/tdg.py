"""The quality score of a code base, from four measured terms: pure arithmetic.

    score = 100 * (0.30 tests + 0.30 coverage + 0.25 mutation + 0.15 speed)

Every term is a share from 0 to 1 and comes with what it was counted from. The score needs all four:
where one is missing there is no score, and this module has no default to put in its place. The
weights are those of the scheme that this score replaces, which left its speed factor undefined and
never computed the score; `speed` is defined here, by `speed_factor`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

WEIGHTS: Mapping[str, float] = {"tests": 0.30, "coverage": 0.30, "mutation": 0.25, "speed": 0.15}
"""What a term is worth; they sum to 1."""

BUDGETS_S: Mapping[int, float] = {1: 5.0, 2: 30.0, 3: 300.0}
"""What a run of the tests up to a tier may take, start-up included, in seconds on two cores."""

POINTS = 100.0
TOLERANCE = 1.0
"""How many points a score may lie below its baseline: seconds of a run vary by some percent, and a
tenth of the speed term is 1.5 points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One measured share: `value` from 0 to 1, `counted` says of what, `source` where it stands."""

    name: str
    value: float
    counted: str
    source: str = ""

    @property
    def points(self) -> float:
        """What it adds to the score."""
        return POINTS * WEIGHTS[self.name] * self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Tdg:
    """The score, 0 to 100, and its terms in the order of WEIGHTS."""

    score: float
    terms: tuple[Term, ...]


def share(part: float, whole: float) -> float:
    """Part of whole. Raises ValueError where the whole is nothing, or the part is none of it."""
    if not (math.isfinite(part) and math.isfinite(whole) and 0 <= part <= whole and whole > 0):
        raise ValueError(f"{part:g} of {whole:g} is no share")
    return part / whole


def speed_factor(seconds: Mapping[int, float]) -> float:
    """The mean over the tiers of budget / seconds, each at most 1.

    Within its budget a tier counts fully, at twice its budget one half. Raises ValueError unless
    there is a positive, finite time for every tier of BUDGETS_S and for no other.
    """
    if seconds.keys() != BUDGETS_S.keys():
        raise ValueError(f"times of the tiers {sorted(seconds)}; expected {sorted(BUDGETS_S)}")
    if wrong := [s for s in seconds.values() if not (math.isfinite(s) and s > 0)]:
        raise ValueError(f"{wrong[0]:g} s is no time that a run takes")
    factors = [min(1.0, BUDGETS_S[tier] / took) for tier, took in seconds.items()]
    return math.fsum(factors) / len(factors)


def scored(terms: Mapping[str, Term]) -> Tdg:
    """The score of all four terms. Raises ValueError where one is missing or no share."""
    if terms.keys() != WEIGHTS.keys():
        raise ValueError(f"terms {sorted(terms)}; expected {sorted(WEIGHTS)}")
    if wrong := [t for t in terms.values() if not 0 <= t.value <= 1]:
        raise ValueError(f"{wrong[0].name} is {wrong[0].value}; expected 0 to 1")
    ordered = tuple(terms[name] for name in WEIGHTS)
    return Tdg(score=math.fsum(t.points for t in ordered), terms=ordered)


def dropped(score: float, baseline: float, tolerance: float = TOLERANCE) -> bool:
    """Whether the score lies more than the tolerance below the baseline; not a number does."""
    return not score >= baseline - tolerance
