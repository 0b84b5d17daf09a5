"""Arithmetic: the expression in the prompt, computed exactly, against what the completion asserts.

What a completion asserts is decided by the first of these rules that finds a number:

1. equations with the prompt's own expression ("2 + 2 = 4", "2 plus 2 is 4"): the last number of
   each chain;
2. other equations ("so 340 + 51 = 391"): the last number of the last one;
3. numbers right after "=", ":", "is", "are", "equals", "equal to", "gives", "makes", "get", "be",
   "answer", "result";
4. all numbers, without operands of the prompt that differ from the right value.

Operands of any expression in the completion never count: an echo of the question asserts nothing.
*Every* asserted number must be the value, so "1 2 3 4" and "4 or 5" fail where 4 is right. A number
is a whole token (see `numbers`): "14" is not 4, "four" is no number; "4.0", "$4", "**4**", "4e0",
and "12/5" for 2.4 are fine. Where the value has no finite decimal ("10 / 3"), a decimal of at least
two places counts if it is the value rounded or cut at its last place. Mixed numbers ("2 2/5") are
not understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from pytest_modelqa.checks.oracles.expressions import (
    Expression,
    Malformed,
    expressions_in,
    plain,
)
from pytest_modelqa.checks.oracles.numbers import (
    Number,
    has_finite_decimal,
    numbers_in,
    parsed,
    shown,
)
from pytest_modelqa.checks.oracles.text import judged_text, quoted, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

MAX_CHARS = 8_000
"""Completions are searched up to here: bounds the time, which is quadratic."""
MIN_PLACES = 2
"""Fewest decimals that may stand for a value without a finite decimal: 3 is not 10/3."""

_EQUALS = re.compile(
    r"[\s*_$`?]*(?:=|==|≈|equals?|is|is equal to|gives|makes)[\s*_$`]*", re.IGNORECASE
)
_MARKED = re.compile(
    r"(?:[=≈:]|\b(?:is|are|equals?|equal to|gives|makes|get|be|answer|result))"
    r"(?:\s+(?:about|approximately|exactly))?[\s*_$`{(\[]*(?:\\boxed\{)?$",
    re.IGNORECASE,
)
_LONGEST_MARK = 60
Member = Expression | Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """Every number that the completion asserts equals the prompt's expression, exactly.

    `expected` guards the playbook: where it differs from the computed value, the playbook is wrong.
    """

    name: ClassVar[str] = "arithmetic"

    expected: int | float | str | None = None

    def __post_init__(self) -> None:
        if self.expected is not None:
            rational(self.expected)

    def problem_with(self, prompt: str) -> str | None:
        """No expression, several of them, none that can be computed, or a wrong `expected`."""
        try:
            value = the_expression(prompt).value
        except Malformed as error:
            return str(error)
        if self.expected is not None and rational(self.expected) != value:
            return (
                f"expected is {self.expected!r}, but the prompt's expression makes {shown(value)}"
            )
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:
        """Corroborated where something is asserted and all of it is right."""
        if bad := unjudgeable(answer):
            return bad
        try:
            question = the_expression(prompt)
        except Malformed as error:
            return inconclusive(str(error), remedy="correct the prompt in the playbook")
        text = plain(judged_text(answer)[:MAX_CHARS])
        found = asserted(question, text)
        right = [n for n in found if matches(n, question.value, text)]
        if not found:
            return falsified(f"expected {shown(question.value)}, found no number in {quoted(text)}")
        if len(right) < len(found):
            said = ", ".join(dict.fromkeys(text[n.start : n.end] for n in found[:8]))
            return falsified(
                f"expected {shown(question.value)}, the completion says {said}: {quoted(text)}"
            )
        return corroborated(f"says {shown(question.value)}", tested=len(found))


def the_expression(prompt: str) -> Expression:
    """The one expression of a prompt. Raises Malformed with a text for the playbook's author."""
    text = plain(prompt)
    found = list(expressions_in(text, strict=True))
    if not found:
        raise Malformed(
            "no arithmetic expression in the prompt: write one in digits, such as 'What is 2 + 2?'"
        )
    if len({e.tokens for e in found}) > 1:
        listed = ", ".join(repr(text[e.start : e.end]) for e in found)
        raise Malformed(f"several expressions in the prompt ({listed}): which one is asked?")
    after = text[found[-1].end :]
    if (sign := re.match(r"\s*=+\s*", after)) and next(numbers_in(after[sign.end() :][:1]), None):
        raise Malformed("the prompt gives a result after '=': nothing is left to be answered")
    return found[0]


def asserted(question: Expression, text: str) -> list[Number]:
    """The numbers that a `plain` completion claims to be the result: the rules above."""
    members = _members(question, text)
    chains = _chains(members, text)
    own = [c for c in chains if any(_same(m, question) for m in c)]
    for group in (own, chains[-1:]):
        if ends := [n for c in group if (n := _last_number(c))]:
            return ends
    numbers = [m for m in members if isinstance(m, Number)]
    if marked := [n for n in numbers if _is_marked(n, text)]:
        return marked
    mute = question.operands - {question.value}
    return [n for n in numbers if n.value not in mute]


def matches(number: Number, value: Fraction, text: str) -> bool:
    """Equal, or, for a value without finite decimal, equal after rounding or cutting."""
    if number.value == value:
        return True
    _, _, decimals = text[number.start : number.end].partition(".")
    if has_finite_decimal(value) or len(decimals) < MIN_PLACES or not decimals.isdigit():
        return False
    unit = Fraction(1, 10 ** len(decimals))
    cut = (abs(value) // unit) * unit * (1 if value > 0 else -1)
    return number.value in (cut, round(value / unit) * unit)


def rational(number: float | str) -> Fraction:
    """The exact value of a playbook's number: "12/5", "1,024", -3, 2.4 as written."""
    text = "" if isinstance(number, bool) else str(number).strip()
    sign = -1 if text.startswith("-") else 1
    parts = [_whole_numeral(p) for p in text.removeprefix("-").split("/")]
    match parts:
        case [Fraction() as top]:
            return sign * top
        case [Fraction() as top, Fraction() as below] if below:
            return sign * top / below
    raise ValueError(f"expected: {number!r} is not a number such as 4, -2.4 or '12/5'")


def _whole_numeral(text: str) -> Fraction | None:
    found = list(numbers_in(text.strip()))
    if len(found) != 1 or (found[0].start, found[0].end) != (0, len(text.strip())):
        return None
    return parsed(text.strip()) if text.strip()[0] in "0123456789." else None


def _members(question: Expression, text: str) -> list[Member]:
    """Expressions and the numbers outside of them, in order; a new "12/5" is a number."""
    expressions = list(expressions_in(text))
    inside = [(e.start, e.end) for e in expressions]
    members: list[Member] = [
        n for n in numbers_in(text) if not any(a < n.end <= b for a, b in inside)
    ]
    members += [
        e if _same(e, question) or not _stands_for_number(e, text) else _number(e)
        for e in expressions
    ]
    return sorted(members, key=lambda m: m.start)


def _stands_for_number(e: Expression, text: str) -> bool:
    return e.is_fraction and not re.match(r"\s*[=≈]", text[e.end :])


def _number(e: Expression) -> Number:
    return Number(e.value, e.start, e.end)


def _same(member: Member, question: Expression) -> bool:
    return isinstance(member, Expression) and member.tokens == question.tokens


def _chains(members: list[Member], text: str) -> list[list[Member]]:
    """Members joined by equality signs, where at least one is an expression and one a number."""
    chains: list[list[Member]] = []
    for member in members:
        if chains and _EQUALS.fullmatch(text[chains[-1][-1].end : member.start]):
            chains[-1].append(member)
        else:
            chains.append([member])
    return [c for c in chains if _last_number(c) and any(isinstance(m, Expression) for m in c)]


def _last_number(chain: list[Member]) -> Number | None:
    return next((m for m in reversed(chain) if isinstance(m, Number)), None)


def _is_marked(number: Number, text: str) -> bool:
    return bool(_MARKED.search(text[max(0, number.start - _LONGEST_MARK) : number.start]))
