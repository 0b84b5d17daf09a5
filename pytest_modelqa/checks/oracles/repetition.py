"""Loops in text: a unit of words or characters repeated back to back, or n-grams that come again.

Two views, because neither sees everything: words (a run of letters and digits, or a single other
character; list markers dropped) find loops of phrases and lines; characters find "A2A2A2",
"pardpardpard" and loops of scripts that write no spaces. A unit without letters (rules of tables,
indentation, zeros) repeats in sound text, so it is judged by another limit.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby, pairwise
from operator import itemgetter
from typing import NamedTuple

LONGEST_UNIT_WORDS = 40
"""A loop's unit in words; greedy loops of the corpus repeat 1 to 25."""
LONGEST_UNIT_CHARS = 24
"""A loop's unit in characters, for text without spaces."""
SCANNED_CHARS = 8_000
"""Only the end of a longer text is scanned: a loop that began never ends by itself."""

_LIST_MARKER = re.compile(r"^[ \t]*(?:\d+[.)]|[-*•])[ \t]+", re.MULTILINE)
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_UNIT = re.compile(rf"(.{{1,{LONGEST_UNIT_CHARS}}}?)\1{{4,}}", re.DOTALL)


class Loop(NamedTuple):
    """A unit repeated back to back: how often, and how many characters the copies cover."""

    unit: str
    copies: float
    chars: int

    @property
    def has_letters(self) -> bool:
        """False for rules, indentation, zeros and emoji."""
        return any(c.isalpha() for c in self.unit)


def words_of(text: str) -> list[str]:
    """Words and single symbols in lower case, without list markers."""
    return _WORD.findall(_LIST_MARKER.sub("", text[-SCANNED_CHARS:]).lower())


def word_loop(words: list[str]) -> Loop:
    """The loop of words that covers most characters; empty where nothing comes twice in a row."""
    best = Loop("", 0.0, 0)
    for period in range(1, min(LONGEST_UNIT_WORDS, len(words) // 2) + 1):
        end, longest = _longest_match(words, period)
        if longest < period:
            continue
        covered = words[end - longest - period : end]
        chars = sum(map(len, covered)) + len(covered)
        if chars > best.chars:
            best = Loop(" ".join(covered[:period]), len(covered) / period, chars)
    return best


def char_loops(text: str) -> list[Loop]:
    """Units of up to 24 characters that stand at least five times in a row."""
    found = _UNIT.finditer(text[-SCANNED_CHARS:])
    return [Loop(m[1], len(m[0]) / len(m[1]), len(m[0])) for m in found]


def line_loop(text: str) -> Loop:
    """The longest run of equal lines with letters, list markers and blank lines aside."""
    plain = _LIST_MARKER.sub("", text[-SCANNED_CHARS:])
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    runs = [(line, len(list(copies))) for line, copies in groupby(lines)]
    line, copies = max(runs, key=itemgetter(1), default=("", 0))
    return Loop(line, copies, copies * len(line))


def doubled_words(words: list[str]) -> tuple[int, int]:
    """Words with letters that repeat the one before, and all words with letters."""
    named = [w for w in words if w[0].isalpha()]
    return sum(a == b for a, b in pairwise(named)), len(named)


def repeated_share(words: list[str], n: int = 4) -> float:
    """Share of n-grams that are copies of earlier ones, 0 to 1."""
    grams = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    total = grams.total()
    return 1 - len(grams) / total if total else 0.0


def _longest_match(words: list[str], period: int) -> tuple[int, int]:
    """End and length of the longest stretch in which each word equals the one a period before."""
    longest = at = run = 0
    for i in range(period, len(words)):
        run = run + 1 if words[i] == words[i - period] else 0
        if run > longest:
            longest, at = run, i + 1
    return at, longest
