"""A long text to compare models on: plain prose, as long as wanted, that does not repeat itself."""

from __future__ import annotations

from itertools import count
from math import gcd

_WHO = (
    "the ferryman", "a young engineer", "the librarian", "my neighbour", "the committee",
    "an old teacher", "the baker", "a visiting doctor", "the gardener", "the night watchman",
    "a retired sailor",
)  # fmt: skip
_DID = (
    "repaired", "described", "measured", "painted", "forgot", "sold", "inspected", "borrowed",
    "carried home", "photographed", "argued about", "counted", "weighed",
)  # fmt: skip
_WHAT = (
    "the wooden bridge", "seven copper coins", "a map of the harbour", "the broken clock",
    "two sacks of flour", "the minutes of the meeting", "a letter from Lisbon",
    "the new water pump", "an apple tree", "the railway timetable", "a jar of honey",
    "the 1897 census", "a blue umbrella", "the roof of the chapel", "three pages of algebra",
    "a violin without strings", "the first chapter",
)  # fmt: skip
_WHEN = (
    "before sunrise", "on Tuesday", "in the winter of 1954", "after a long silence",
    "while it rained", "at a quarter past nine", "without telling anyone",
)  # fmt: skip
_WHY = (
    "because the road was closed", "so that nobody would worry", "although it cost 48 crowns",
    "which surprised the whole village", "and nobody asked for a reason",
)  # fmt: skip


def long_text(words: int) -> str:
    """At least `words` words. The same for the same number, and a beginning of any longer one.

    Each list is walked with a stride of its own, so sentences come again only after 85,000 others.
    """
    sentences: list[str] = []
    held = 0
    for n in count():
        if held >= words:
            break
        who, did, what, when, why = (
            _pick(parts, n, stride)
            for parts, stride in ((_WHO, 3), (_DID, 5), (_WHAT, 7), (_WHEN, 2), (_WHY, 2))
        )
        sentence = f"{who[0].upper()}{who[1:]} {did} {what} {when}, {why}."
        sentences.append(sentence)
        held += len(sentence.split())
    return " ".join(sentences)


def _pick(parts: tuple[str, ...], n: int, stride: int) -> str:
    assert gcd(len(parts), stride) == 1
    return parts[n * stride % len(parts)]
