"""Shrinking a text that two tokenizers take differently: what to try next, simplest first.

Each round asks for many reductions at once, because asking costs more than tokenizing; the
simplest that still differs is where the next round starts. Every reduction is simpler than what it
was made of, so that rounds come to an end by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

PER_ROUND = 256
"""Reductions asked at once; a text of 12 characters has about 110."""
ROUNDS = 24
"""One part goes in each: a text of 3,000 characters is halved to one in 12, and what differs by two
parts far apart takes longer."""
_WHOLE = 16
"""Up to this length every part of a text is tried."""
_SIMPLE = "a0 "
"""What characters are replaced by, the simplest first."""


def reductions(text: str) -> tuple[str, ...]:
    """At most `PER_ROUND` different texts that are simpler than `text`."""
    limit = simplicity(text)
    simpler = (t for t in islice(_candidates(text), 4 * PER_ROUND) if simplicity(t) < limit)
    kept: dict[str, None] = {}
    for candidate in simpler:
        kept[candidate] = None
        if len(kept) == PER_ROUND:
            break
    return tuple(sorted(kept, key=simplicity))


def simplicity(text: str) -> tuple[int, int, tuple[int, ...]]:
    """The order: shorter, then with fewer other characters than `a`, `0` and a space."""
    ranks = tuple(_rank(c) for c in text)
    return len(text), sum(r >= len(_SIMPLE) for r in ranks), ranks


def _rank(character: str) -> int:
    found = _SIMPLE.find(character)
    return found if found >= 0 else ord(character) + len(_SIMPLE)


def _candidates(text: str) -> Iterator[str]:
    """Halves, quarters and so on: alone, and left out; at last single characters."""
    size = len(text)
    if size <= _WHOLE:
        yield from _parts(text)
    while size > 1:
        size = (size + 1) // 2
        step = max(1, size // 2)
        yield from (text[i : i + size] for i in range(0, len(text), step))
        yield from (text[:i] + text[i + size :] for i in range(0, len(text), size))
    yield ""
    for i, character in enumerate(text):
        for simple in _SIMPLE:
            if simple != character:
                yield text[:i] + simple + text[i + 1 :]


def _parts(text: str) -> Iterator[str]:
    for size in range(1, len(text)):
        yield from (text[i : i + size] for i in range(len(text) - size + 1))
