"""Garbage: text that no working model writes, whatever was asked.

Judged on the decoded completion alone, never on the prompt. Every limit is a named constant; those
that say "measured" were set on the tune half of the committed corpus, between the worst sound text
and the broken ones, and are checked on the held-out half (`benchmarks/garbage_rates.py`).
"""

from __future__ import annotations

import math
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le

from pytest_modelqa.checks.oracles import soup
from pytest_modelqa.checks.oracles.repetition import (
    Loop,
    char_loops,
    doubled_words,
    line_loop,
    repeated_share,
    word_loop,
    words_of,
)
from pytest_modelqa.checks.oracles.text import judged_text, quoted
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified

MAX_SPECIAL_SHARE = 0.5
"""Control tokens among the ids. A working model writes none but the stop token, which is no id."""
MAX_REPLACEMENT_SHARE = 0.002
"""U+FFFD among characters: none in sound text, unless quoted once in a long one."""
MIN_ENTROPY_BITS = 1.2
"""Per character, from 40 characters on. Measured: an identity matrix 1.7, floods 0 to 0.5."""
MAX_LINE_BREAKS = 6
"""In a row. Measured: sound text 4, floods 7 to 80."""
MAX_LOOP_SHARE = 0.5
"""Of the text in one loop of at least 3 copies and 40 characters; measured: refrains 0.38."""
MAX_LOOP_CHARS = 80
"""In one loop of at least 5 copies with letters; measured: a nursery rhyme 70."""
MAX_THRICE_CHARS = 120
"""In one loop of 3 or 4 copies with letters; measured: sound text 48."""
MAX_RULE_CHARS = 200
"""In one loop without letters: longer than a rule across a wide page or a table's head."""
MAX_COMPRESSION = 3.5
"""zlib's ratio on prose from 200 characters on. Whisper's decoder takes 2.4 as its limit for
speech (Radford et al. 2022, section 4.5); measured: a nursery rhyme 3.05, prose 1.4 to 2.3."""
MAX_REPEATED_SHARE = 0.6
"""4-grams of prose that are copies, from 40 words on; measured: a nursery rhyme 0.52, prose 0.3."""
MAX_UNBOUND_SHARE = 0.8
"""Word pairs without a function word, from 25 pairs on; measured: English 0.33, Hungarian 0.69,
soup 0.87 to 1."""
MAX_ODD_SHARE = 0.1
"""Odd punctuation per word, from 4 marks on; measured: sound prose 0.03, soup 0.1 to 0.5."""
MAX_JOINED_SHARE = 0.15
"""Words with a capital inside, from 15 words on, where more than half of the pairs are unbound."""
MAX_MIXED_SHARE = 0.05
"""Words that mix scripts, from 3 on; measured: sound text 0."""
MAX_DANGLING_SHARE = 0.4
"""Of all "the", "an" and "of", from 4 on."""
MAX_IMPOSSIBLE_SHARE = 0.1
"""Of English function words, from 3 pairs on; measured: sound text at most 1 pair."""
MAX_GLUED = 1
"""Function words that run into the next word; measured: sound text 0."""
MAX_DOUBLED_SHARE = 0.25
"""Words that repeat the one before, from 12 on; measured: a nursery rhyme 10 in all."""
MAX_EQUAL_LINES = 4
"""In a row, with letters. Measured: sound text 1."""
MAX_SYMBOLS = 16
"""Of one symbol outside of ascii in a row, where they are most of the text: an emoji flood."""
MAX_UNOPENED = 3
"""Closing brackets that nothing opens; measured: sound text 1."""
MAX_SPACED_LINES = 2
"""Lines that begin with one space and a word; measured: sound text 0, soup up to 12."""

MAX_LONE_SHARE = 0.2
"""Stops, quotes and brackets that stand alone, from 8 on; measured: sound text 0.1 (Morse 0.2)."""
MAX_STUTTER_SHARE = 0.15
"""Words that repeat a part of themselves ("shotsshots"), from 4 on; measured: sound text 0."""

_MIN_CHARS = 40
_MIN_PROSE_CHARS = 200
_MIN_RULE_CHARS = 60
_MIN_CUT_CHARS = 3
_MIN_IMPOSSIBLE = 3
_MIN_DANGLING = 4
_MIN_MIXED = 3
_MIN_STUTTER = 4
_LOOSE_SHARE = 0.5
_MIN_JOINED_OF = 15
_MIN_LONE = 8
_MIN_ODD = 4
_MIN_PAIRS = 25
_MIN_DOUBLED = 12
_MIN_WORDS = 40
_FEW_COPIES = 3
_MANY_COPIES = 5
_KEPT_CONTROLS = "\t\n\r"

Share = Annotated[float, Gt(0), Le(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """No loop, no flood, no token soup, no broken characters; the defaults always stand."""

    name: ClassVar[str] = "garbage"

    max_special_share: Share = MAX_SPECIAL_SHARE
    max_replacement_share: Annotated[float, Ge(0), Le(1)] = MAX_REPLACEMENT_SHARE
    min_entropy_bits: Annotated[float, Ge(0), Le(8)] = MIN_ENTROPY_BITS
    max_loop_share: Share = MAX_LOOP_SHARE
    max_loop_chars: Annotated[int, Ge(1)] = MAX_LOOP_CHARS
    max_compression: Annotated[float, Gt(1)] = MAX_COMPRESSION
    max_repeated_share: Share = MAX_REPEATED_SHARE
    max_unbound_share: Share = MAX_UNBOUND_SHARE
    max_odd_share: Share = MAX_ODD_SHARE

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt's answers can be judged."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Falsified with the first sign of garbage."""
        if reason := self.sign(answer):
            return falsified(f"garbage: {reason}: {quoted(judged_text(answer))}")
        return corroborated(
            f"{len(answer.text)} characters without a sign of garbage", tested=len(answer.text)
        )

    def sign(self, answer: Generation) -> str | None:
        """The first sign of garbage in words, or None."""
        return next(self._signs(answer), None)

    def _signs(self, answer: Generation) -> Iterator[str]:
        """Cheapest and surest first."""
        text = judged_text(answer)
        yield from self._engine_signs(answer)
        if not text.strip():
            yield "no text came back"
            return
        yield from self._character_signs(_whole_characters(answer))
        yield from self._loop_signs(text)
        yield from self._prose_signs(soup.prose(text))
        if (glued := soup.glued_words(text)) > MAX_GLUED:
            yield f"{glued} words run into the next one"
        lone = soup.lone_symbols(text)
        if lone.hits >= _MIN_LONE and lone.value > MAX_LONE_SHARE:
            yield f"{lone.hits} of {lone.total} pieces are lone punctuation"
        if (spaced := soup.spaced_lines(text)) > MAX_SPACED_LINES:
            yield f"{spaced} lines begin with one space and a word"
        if (unopened := soup.unopened_brackets(text)) > MAX_UNOPENED:
            yield f"{unopened} closing brackets that nothing opens"

    def _engine_signs(self, answer: Generation) -> Iterator[str]:
        if answer.nonfinite_steps:
            yield f"the logits held NaN or Inf after {len(answer.ids)} generated tokens"
        if answer.special_ids > self.max_special_share * len(answer.ids):
            yield f"{answer.special_ids} of {len(answer.ids)} tokens are control tokens"

    def _character_signs(self, text: str) -> Iterator[str]:
        broken = text.count("\ufffd")
        if broken > self.max_replacement_share * len(text):
            yield f"{broken} of {len(text)} characters are U+FFFD (undecodable bytes)"
        if controls := _controls(text):
            yield f"control characters {', '.join(f'U+{ord(c):04X}' for c in controls[:5])}"
        if len(text) >= _MIN_CHARS and (bits := entropy_bits(text)) < self.min_entropy_bits:
            yield f"{bits:.1f} bits of entropy per character (limit {self.min_entropy_bits:g})"
        if (breaks := _line_breaks(text)) > MAX_LINE_BREAKS:
            yield f"{breaks} line breaks in a row"

    def _loop_signs(self, text: str) -> Iterator[str]:
        words = words_of(text)
        lines = line_loop(text)
        if lines.copies > MAX_EQUAL_LINES and lines.has_letters:
            yield f"{lines.copies:.0f} equal lines in a row, {quoted(lines.unit)}"
        for loop in (word_loop(words), *char_loops(text)):
            if self._is_stuck(loop, len(text)):
                yield f"{quoted(loop.unit)} comes {loop.copies:.0f} times in a row"

    def _is_stuck(self, loop: Loop, total: int) -> bool:
        share = loop.chars / total
        if not loop.has_letters:
            enough = _MIN_RULE_CHARS if loop.unit.isascii() else MAX_SYMBOLS
            return loop.chars > MAX_RULE_CHARS or (
                loop.chars >= enough and share > self.max_loop_share
            )
        limit = self.max_loop_chars if loop.copies >= _MANY_COPIES else MAX_THRICE_CHARS
        if share > self.max_loop_share:
            limit = _MIN_CHARS
        return loop.copies >= _FEW_COPIES and loop.chars >= limit

    def _prose_signs(self, text: str) -> Iterator[str]:
        words = words_of(text)
        if len(words) >= _MIN_WORDS and (again := repeated_share(words)) > self.max_repeated_share:
            yield f"{again:.0%} of its word 4-grams are repetitions"
        doubled, named = doubled_words(words)
        if doubled >= _MIN_DOUBLED and doubled > MAX_DOUBLED_SHARE * named:
            yield f"{doubled} of {named} words repeat the one before"
        if len(text) >= _MIN_PROSE_CHARS and (ratio := compression(text)) > self.max_compression:
            yield f"it compresses {ratio:.1f} times (limit {self.max_compression:g})"
        unbound = soup.unbound_pairs(text)
        if unbound.total >= _MIN_PAIRS and unbound.value > self.max_unbound_share:
            yield f"{unbound.hits} of {unbound.total} word pairs lack any function word"
        odd = soup.odd_marks(text)
        if odd.hits >= _MIN_ODD and odd.value > self.max_odd_share:
            yield f"{odd.hits} odd punctuation marks in {odd.total} words"
        yield from _word_signs(text, unbound)


def garbage_in(answer: Generation) -> str | None:
    """The first sign of garbage with the standing limits, or None: what G4 and scenarios ask."""
    return _STANDING.sign(answer)


_STANDING = Garbage()


def entropy_bits(text: str) -> float:
    """Shannon entropy of the character distribution, bits per character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())


def compression(text: str) -> float:
    """UTF-8 bytes over zlib's bytes at level 9."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data) / len(zlib.compress(data, 9))


def _word_signs(text: str, unbound: soup.Share) -> Iterator[str]:
    joined = soup.joined_words(text)
    if (
        joined.total >= _MIN_JOINED_OF
        and joined.value > MAX_JOINED_SHARE
        and unbound.value > _LOOSE_SHARE
    ):
        yield f"{joined.hits} of {joined.total} words have capitals inside"
    stutter = soup.stuttering_words(text)
    if stutter.hits >= _MIN_STUTTER and stutter.value > MAX_STUTTER_SHARE:
        yield f"{stutter.hits} of {stutter.total} words repeat a part of themselves"
    mixed = soup.mixed_scripts(text)
    if mixed.hits >= _MIN_MIXED and mixed.value > MAX_MIXED_SHARE:
        yield f"{mixed.hits} of {mixed.total} words mix scripts"
    impossible = soup.impossible_pairs(text)
    if impossible.hits >= _MIN_IMPOSSIBLE and impossible.value > MAX_IMPOSSIBLE_SHARE:
        yield f"{impossible.hits} pairs of function words that cannot follow each other"
    dangling = soup.dangling_words(text)
    if dangling.hits >= _MIN_DANGLING and dangling.value > MAX_DANGLING_SHARE:
        yield f"{dangling.hits} of {dangling.total} times 'the', 'an' or 'of' leads nowhere"


def _whole_characters(answer: Generation) -> str:
    """The text without what `max_tokens` left of a last character."""
    text = judged_text(answer)
    return text.rstrip("\ufffd") if answer.finish != "stop" and len(text) > _MIN_CUT_CHARS else text


def _controls(text: str) -> list[str]:
    """Controls, lone surrogates and private characters; none of them is printable."""
    suspects = {c for c in set(text) if not c.isprintable() and c not in _KEPT_CONTROLS}
    return sorted(c for c in suspects if unicodedata.category(c) in ("Cc", "Cs", "Co"))


def _line_breaks(text: str) -> int:
    longest = run = 0
    for character in text:
        if character == "\n":
            run += 1
            longest = max(longest, run)
        elif not character.isspace():
            run = 0
    return longest
