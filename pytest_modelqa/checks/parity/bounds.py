"""How a measured number is held against its limit, three ways: beyond it, within it, or neither.

A mean over prompts is known up to its error: it is beyond a limit where the whole interval is, and
within it where the whole interval is. What is asked of every position needs no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.stats import clopper_pearson_lower, clopper_pearson_upper, needed_n
from pytest_modelqa.stats.clustered import Mean, groups_needed, mean_of, share_bounds

Groups = Sequence[Sequence[float]]
"""Values of positions, by prompt."""

_TAIL = 0.01


class Held(NamedTuple):
    """One number against one limit."""

    outcome: Outcome
    text: str


def mean_within(what: str, groups: Groups, limit: float) -> Held:
    """The mean is at most `limit`."""
    found = mean_of(groups)
    margin = found.margin()
    measured = f"{what} {_number(found.mean)}"
    if margin is None:
        return _too_few(f"{measured} of one prompt, limit {_number(limit)}")
    measured = f"{measured} ± {_number(margin)}"
    if found.mean - margin > limit:
        return Held(Outcome.FALSIFIED, f"{measured}, limit {_number(limit)}")
    if found.mean + margin <= limit:
        return Held(Outcome.CORROBORATED, f"{measured}, limit {_number(limit)}")
    return _undecided(f"{measured}, limit {_number(limit)}", found, limit)


def mean_at_least(what: str, groups: Groups, limit: float) -> Held:
    """The mean is at least `limit`."""
    found = mean_of(groups)
    margin = found.margin()
    if margin is None:
        return _too_few(f"{what} {_number(found.mean)} of one prompt, limit {_number(limit)}")
    text = f"{what} {_number(found.mean)} ± {_number(margin)}, at least {_number(limit)}"
    if found.mean + margin < limit:
        return Held(Outcome.FALSIFIED, text)
    if found.mean - margin >= limit:
        return Held(Outcome.CORROBORATED, text)
    return _undecided(text, found, limit)


def share_at_least(what: str, groups: Sequence[Sequence[bool]], limit: float) -> Held:
    """The share of trues is at least `limit`."""
    found = mean_of(groups)
    bounds = share_bounds(groups)
    text = f"{what} {found.mean:.1%}, at least {limit:.1%}"
    if bounds is None:
        return _too_few(f"{text}, of one prompt")
    low, high = bounds
    text = f"{text} (of {found.n}: {low:.1%} to {high:.1%})"
    if high < limit:
        return Held(Outcome.FALSIFIED, text)
    if low >= limit:
        return Held(Outcome.CORROBORATED, text)
    if found.mean == 1 and limit < 1:
        return Held(Outcome.INCONCLUSIVE, f"{text}; {needed_n(limit)} equal positions would decide")
    return _undecided(text, found, limit)


def tail_within(what: str, groups: Groups, limit: float) -> Held:
    """At most one per cent of positions lies above `limit`: bounds of that share, exact at 95 %."""
    values = [*chain.from_iterable(groups)]
    above, total = sum(v > limit for v in values), len(values)
    text = f"{what}: {above} of {total} positions above {_number(limit)}"
    if clopper_pearson_lower(above, total) > _TAIL:
        return Held(Outcome.FALSIFIED, text)
    if clopper_pearson_upper(above, total) <= _TAIL:
        return Held(Outcome.CORROBORATED, text)
    enough = needed_n(1 - _TAIL, failures=above)
    return Held(Outcome.INCONCLUSIVE, f"{text}; {enough} positions would decide")


def each_within(what: str, groups: Groups, limit: float) -> Held:
    """No position lies above `limit`."""
    worst = max(chain.from_iterable(groups))
    outcome = Outcome.FALSIFIED if worst > limit else Outcome.CORROBORATED
    return Held(outcome, f"largest {what} {_number(worst)}, limit {_number(limit)}")


def each_at_least(what: str, groups: Groups, limit: float) -> Held:
    """No position lies below `limit`."""
    worst = min(chain.from_iterable(groups))
    outcome = Outcome.FALSIFIED if worst < limit else Outcome.CORROBORATED
    return Held(outcome, f"smallest {what} {worst:.6g}, at least {_number(limit)}")


def _too_few(text: str) -> Held:
    return Held(Outcome.INCONCLUSIVE, f"{text}; two prompts or more would tell its error")


def _undecided(text: str, found: Mean, limit: float) -> Held:
    needed = groups_needed(found, limit)
    more = f"about {needed} prompts would decide" if needed else "no number of prompts would decide"
    return Held(Outcome.INCONCLUSIVE, f"{text}; {more}")


def _number(value: float) -> str:
    return f"{value:.3g}"
