"""Drawing and shrinking with Hypothesis, the same on every machine.

Imported by name when examples are needed: Hypothesis costs 0.3 s.

Drawing. Hypothesis mixes constants of the user's own modules into the integers, texts, bytes and
floats that it draws (seen in 6.170), so the same seed would give other examples in another project.
Booleans are free of it: a run draws booleans, and they are the seed of the example's choices; all
False make the simplest example. (Choices made of booleans one by one came out alike: the generator
repeats parts of earlier runs.) All settings are spelt out, because those that are not come from the
profile that the user has loaded.

Shrinking. A number is one drawn integer there, for which the shrinker searches bisectingly. A run
starts at the failing example through a prefix of booleans: all False, the integers are free; with
any True they are the example's own, being the simplest that may be drawn. So the second example or
so is the failing one, and the shrinker's first step turns the prefix off. Integers are drawn at
random for the rare example in between, and what it is does not change what is smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random

from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from pytest_modelqa.checks.families.family import Below, Example, Family, example
from pytest_modelqa.core.ids import derived_seed

MOST_RUNS = 200_000
"""Upper bound of Hypothesis' runs per drawing. Fixed: part of what decides the examples."""
_KEY_BITS = 40
"""Booleans of a drawing: enough for two of 10,000 to be equal once in 20,000 drawings."""
_PREFIX = 3
"""Booleans before a shrunk example: all False are 1 of 8."""
_BOOLEAN = st.booleans()


class _Enough(BaseException):
    """Leaves a run of Hypothesis, which would take an Exception for a failure to be shrunk."""


def draw(family: Family, seed: int, count: int) -> tuple[Example, ...]:
    """Exactly `count` examples with different prompts. The first n of a longer drawing are those
    of a drawing of n. Raises ValueError where the family has not so many.
    """
    found: dict[str, Example] = {}

    def enough(drawn: Example) -> bool:
        if len(found) < count:
            found.setdefault(family.question(drawn.params).prompt, drawn)
        return len(found) >= count

    random = Random(derived_seed(seed, family.name))  # noqa: S311 - no secret
    try:
        find(_examples(family, _seeded), enough, settings=_settings(Phase.generate), random=random)
    except NoSuchExample:
        raise ValueError(f"{family.name} has {len(found)} examples, not {count}") from None
    return tuple(found.values())


def questions(
    family: Family, start: Example, known: Mapping[str, bool], most: int
) -> tuple[Example, ...]:
    """What must be known to shrink a failing example further: at most `most`, none when done.

    `known` tells by prompt whether it fails. Until `most` other prompts are found, they are taken
    as not failing.
    """
    unknown: dict[str, Example] = {}

    def fails(tried: Example) -> bool:
        prompt = family.question(tried.params).prompt
        if prompt not in known:
            unknown.setdefault(prompt, tried)
            if len(unknown) >= most:
                raise _Enough
        return known.get(prompt, False)

    with suppress(_Enough):
        find(
            _examples(family, _searched(start.choices)),
            fails,
            settings=_settings(Phase.generate, Phase.shrink),
            random=Random(0),  # noqa: S311 - no secret
        )
    return tuple(unknown.values())


def _examples(family: Family, made: Callable[[st.DrawFn], Below]) -> st.SearchStrategy[Example]:
    return st.composite(lambda draw: example(family, made(draw)))()


def _seeded(draw: st.DrawFn) -> Below:
    key = 0
    for _ in range(_KEY_BITS):
        key = 2 * key + draw(_BOOLEAN)
    if not key:
        return lambda _: 0
    random = Random(key)  # noqa: S311 - no secret
    # Of all methods, Python promises the same sequence in later versions for this one alone.
    return lambda n: int(random.random() * n)


def _searched(start: tuple[int, ...]) -> Callable[[st.DrawFn], Below]:
    def made(draw: st.DrawFn) -> Below:
        prefix = [draw(_BOOLEAN) for _ in range(_PREFIX)]
        if not any(prefix):
            return lambda n: draw(st.integers(0, n - 1))
        script = iter(start)
        return lambda _: draw(st.integers(low := next(script), low + 1))

    return made


def _settings(*phases: Phase) -> settings:
    return settings(
        max_examples=MOST_RUNS,
        derandomize=False,
        database=None,
        verbosity=Verbosity.quiet,
        phases=phases,
        stateful_step_count=1,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        deadline=None,
        print_blob=False,
        backend="hypothesis",
    )
