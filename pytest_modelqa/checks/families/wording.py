"""A family's verdict from those of its examples: the worst one, counted and worded."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_modelqa.checks.oracles.text import quoted
from pytest_modelqa.core.verdict import Outcome, Part, Verdict
from pytest_modelqa.stats import wilson

HEAD_CHARS = 40
"""Of the prompt in a part's name, and reasons of examples up to `REASON_CHARS`."""
REASON_CHARS = 300
_DETAIL_CHARS = 2000
_DECIDED = (Outcome.CORROBORATED, Outcome.FALSIFIED)
_WORST_FIRST = tuple(reversed(Outcome))


class Judged(NamedTuple):
    """One example: its number, parameters as JSON, prompt, answer where there is one, verdict."""

    name: str
    params: str
    prompt: str
    text: str | None
    verdict: Verdict


def conclusion(
    judged: Sequence[Judged], *, unconfirmed: int, smallest: Judged | None, command: str
) -> Verdict:
    """The worst outcome: one crash or one undecided example is enough that the family is no pass.

    `tested` counts the decided examples. `smallest` is what the falsified ones were shrunk to.
    """
    outcomes = Counter(j.verdict.outcome for j in judged)
    worst = next(o for o in _WORST_FIRST if outcomes[o])
    first = next(j for j in judged if j.verdict.outcome is worst)
    shown = first if smallest is None else smallest
    said = [*_counts(outcomes), *_unconfirmed(unconfirmed)]
    if smallest is not None:
        said.append(f"smallest: {_told(smallest)}")
    if worst not in _DECIDED or (worst is Outcome.FALSIFIED and smallest is None):
        said.append(f"first {worst}: {_told(first)}")
    return Verdict(
        outcome=worst,
        reason="; ".join(said),
        tested=sum(outcomes[o] for o in _DECIDED),
        detail="" if shown.text is None else shown.text[:_DETAIL_CHARS],
        remedy=_remedy(worst, first, shown, command),
        parts=tuple(_part(j) for j in judged),
    )


def _counts(outcomes: Counter[Outcome]) -> Iterator[str]:
    wrong, decided = outcomes[Outcome.FALSIFIED], sum(outcomes[o] for o in _DECIDED)
    low, high = wilson(wrong, decided)
    rate = f" ({wrong / decided:.0%}, 95 % interval {low:.0%} to {high:.0%})" if decided else ""
    yield f"{wrong} of {decided} examples falsified{rate}"
    for outcome in _WORST_FIRST:
        if outcome not in _DECIDED and outcomes[outcome]:
            yield f"{outcomes[outcome]} {outcome}"


def _unconfirmed(count: int) -> Iterator[str]:
    if count:
        answers = "answer" if count == 1 else "answers"
        yield f"{count} falsified fast {answers} not confirmed in exact mode"


def _told(one: Judged) -> str:
    answer = "" if one.text is None else f" -> {quoted(one.text)}"
    return f"{quoted(one.prompt)}{answer}: {one.verdict.reason[:REASON_CHARS]}"


def _remedy(worst: Outcome, first: Judged, shown: Judged, command: str) -> str:
    """What reproduces a failure; where nothing failed, what would decide."""
    if worst.failed:
        return f"{command} --example {shlex.quote(shown.params)}"
    return first.verdict.remedy


def _part(one: Judged) -> Part:
    head = ascii(one.prompt[:HEAD_CHARS])[1:-1][:HEAD_CHARS]
    return Part(
        name=f"{one.name} {head}".rstrip(),
        outcome=one.verdict.outcome,
        reason=one.verdict.reason[:REASON_CHARS],
    )
