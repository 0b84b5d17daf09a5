"""Numbers in text: exact rationals, and nothing that only looks like one.

    number    ascii digits, an adjacent sign or none, thousands separators of three digits
              ("1,024"), decimals (".5", "2.40"), exponent ("1e3"), a currency sign before

No numbers: digits inside a word, a dotted or colon chain or a date ("A4", "4th", "1.2.3", "10:30",
"1/2/2024"), percentages ("4%"), "1,2,3" without spaces, number words. An oracle that guessed there
would pass "one moment" for 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

MAX_DIGITS = 40
"""Longest number that is read. A bound against hostile text: `int` is quadratic in digits."""
MAX_EXPONENT = 60
"""Largest power of ten in scientific notation; keeps every value small."""

_NUMERAL = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
UNSIGNED = (
    rf"(?<![\w.])(?<![0-9][,:])[$€£]?(?P<number>(?:{_NUMERAL})(?:[eE][+-]?[0-9]{{1,3}})?)"
    r"(?!\w|%|[.,:]\w)"
)
_SIGNED = re.compile(rf"(?:(?<![\w.,:/)%])(?P<sign>[-+\u2212]))?(?<![\w]/){UNSIGNED}(?!/\w)")
_OPERAND_BEFORE = re.compile(r"[\w)%][ \t]*$")
_LOOK_BEHIND = 20
"""Characters before a sign that tell subtraction from negation."""


class Number(NamedTuple):
    """A numeric token: its exact value, and where it stands in the text."""

    value: Fraction
    start: int
    end: int


def parsed(numeral: str) -> Fraction | None:
    """The exact value of an unsigned numeral, or None beyond the bounds on digits and exponent."""
    mantissa, _, power = numeral.replace(",", "").lower().partition("e")
    whole, _, decimals = mantissa.partition(".")
    exponent = int(power or 0)
    if len(whole) + len(decimals) > MAX_DIGITS or abs(exponent) > MAX_EXPONENT:
        return None
    return Fraction(int(whole + decimals)) * Fraction(10) ** (exponent - len(decimals))


def numbers_in(text: str) -> Iterator[Number]:
    """Every whole numeric token, in order. "5 -3" is a subtraction: its 3 is positive."""
    for match in _SIGNED.finditer(text):
        value = parsed(match["number"])
        if value is None:
            continue
        before = text[max(0, match.start() - _LOOK_BEHIND) : match.start()]
        digits_before = _OPERAND_BEFORE.search(before)
        subtracts = bool(digits_before and digits_before.group()[0] in "0123456789)%")
        negative = match["sign"] in ("-", "\u2212") and not subtracts
        yield Number(-value if negative else value, match.start(), match.end())


def shown(value: Fraction) -> str:
    """As a person writes it: an integer, else a fraction, with its decimal where that is finite."""
    if value.denominator == 1:
        return str(value.numerator)
    fraction = f"{value.numerator}/{value.denominator}"
    return f"{fraction} ({float(value)!r})" if has_finite_decimal(value) else fraction


def has_finite_decimal(value: Fraction) -> bool:
    """True where the reduced denominator has no prime factor but 2 and 5."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1
