"""Drawing from one side: what the training sets may use, and what is kept for the hold-out.

Every pool of values and of templates is divided by position: each fifth entry belongs to the
hold-out and is never seen in training. Numbers are divided too: multiples of seven are held out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Literal, TypeVar

T = TypeVar("T")
Side = Literal["train", "held"]
Pools = Mapping[str, Sequence[str]]

HELD_EVERY = 5
HELD_FACTOR = 7
_SLOT = re.compile(r"\$([a-z]+(?:_[a-z]+)*?)(?:__([a-z]+))?\b(?!_)|\$\{([a-z]+)\}")
"""`$slot`, `$slot__form`, or `${slot}` where letters follow."""


def share(pool: Sequence[T], side: Side) -> Sequence[T]:
    """The part of a pool that a side may draw from. Raises ValueError below five entries."""
    held = range(HELD_EVERY - 1, len(pool), HELD_EVERY)
    if not held:
        raise ValueError(f"a pool of {len(pool)} entries leaves nothing for the hold-out")
    return [v for i, v in enumerate(pool) if (i in held) == (side == "held")]


_share = cache(share)


@cache
def _numbers(low: int, high: int, side: Side) -> Sequence[int]:
    return [n for n in range(low, high + 1) if (n % HELD_FACTOR == 0) == (side == "held")]


class Draw:
    """Draws for one record. A slot keeps its first value, so that a text agrees with itself."""

    def __init__(self, rng: Random, side: Side, pools: Pools) -> None:
        self.rng = rng
        self.side = side
        self.pools = pools
        self.bound: dict[str, str] = {}

    def pick(self, pool: Sequence[T], more: Sequence[T] = ()) -> T:
        """One of this side's share; training draws from `more` too."""
        return self.rng.choice(self._ours(pool, more))

    @property
    def trains(self) -> bool:
        """Whether this is a record to train on: the hold-out has no part in what only trains."""
        return self.side == "train"

    def some(self, pool: Sequence[T], count: int, more: Sequence[T] = ()) -> list[T]:
        """Several different ones of this side's share, in a drawn order; see `pick`."""
        ours = self._ours(pool, more)
        return self.rng.sample(ours, min(count, len(ours)))

    def _ours(self, pool: Sequence[T], more: Sequence[T]) -> Sequence[T]:
        ours: Sequence[T] = _share(pool, self.side)
        return (*ours, *more) if more and self.trains else ours

    def shared(self, pool: Sequence[T]) -> T:
        """One of a closed list that both sides know, such as the names of tools."""
        return self.rng.choice(pool)

    def chance(self, share_of_one: float) -> bool:
        """True as often as said."""
        return self.rng.random() < share_of_one

    def number(self, low: int, high: int) -> int:
        """A number of this side, `low` and `high` included; the range must hold one of each."""
        return self.rng.choice(_numbers(low, high, self.side))

    def bind(self, **values: str) -> None:
        """Fill slots."""
        self.bound.update(values)

    def fill(self, text: str) -> str:
        """Replace `$slot` by its value, drawn from the pool of that name where it has none yet.

        `$slot__kebab` gives it another form. What a pool gives may hold slots itself.
        """
        return _SLOT.sub(lambda m: _formed(self._value(m[1] or m[3]), m[2] or ""), text)

    def line(self, pool: Sequence[str]) -> str:
        """One template of this side, filled."""
        return self.fill(self.pick(pool))

    def lines(self, pool: Sequence[str], count: int) -> list[str]:
        """Several different templates of this side, filled."""
        return [self.fill(text) for text in self.some(pool, count)]

    def _value(self, slot: str) -> str:
        if slot not in self.bound:
            self.bound[slot] = ""  # a pool that needs itself ends here
            self.bound[slot] = self.line(self.pools[slot])
        return self.bound[slot]


def _formed(value: str, form: str) -> str:
    """`OrderStore` as kebab `order-store`, camel `orderStore`, words `order store`."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", value)
    if form == "kebab":
        return "-".join(w.lower() for w in words)
    if form == "camel":
        return "".join(w.lower() if i == 0 else w.capitalize() for i, w in enumerate(words))
    if form == "words":
        return " ".join(w.lower() for w in words)
    if form == "start":
        return value[:1].upper() + value[1:]
    return value
