"""Arithmetic expressions in prose, computed exactly; nothing is ever evaluated as code.

    run      tokens with only spaces between them, on one line
    token    number, ( ), + - * / ^ **, the typographic signs for times, divided by and
             minus, x between spaces or numbers, plus, minus, times, multiplied by, divided by,
             to the power of; LaTeX's times, cdot, div and frac
    value    Fraction; usual precedence, ^ binds tighter than a sign and to the right

A run is an expression if *all* of it parses and it holds a binary operator; an unmatched outer
parenthesis and the asterisks of markdown emphasis are dropped first. A sign must touch its operand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

from pytest_modelqa.checks.oracles.numbers import UNSIGNED, parsed

MAX_DEPTH = 20
"""Deepest nesting of parentheses and signs that is read."""
MAX_TOKENS = 100
"""Longest expression that is read."""
MAX_POWER = 64
"""Largest absolute exponent: 2^64 is exact, 9^9^9 is refused."""
MAX_BITS = 4096
"""Largest numerator or denominator of any intermediate value."""

FEWEST_NUMBERS = 2
"""A run with fewer is a number, or a word with a hyphen ("17-year-old")."""

_WORDS = {
    "plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/",
    "to the power of": "^", "x": "*",
    "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u00f7": "/", "\u2212": "-", "**": "^",
}  # fmt: skip
_TOKEN = re.compile(
    rf"(?P<num>{UNSIGNED})|(?P<op>\*\*|[-+*/^\u00d7\u00b7\u22c5\u00f7\u2212]|(?<=[\s\d)])[xX](?=[\s\d(])|"
    r"\b(?:plus|minus|times|multiplied by|divided by|to the power of)\b)|(?P<paren>[()])",
    re.IGNORECASE,
)
_LATEX = (
    (re.compile(r"\\[dt]?frac\s*\{([^{}]{1,60})\}\s*\{([^{}]{1,60})\}"), r" \1/\2 "),
    (re.compile(r"\\(?:times|cdot)\b"), "*"),
    (re.compile(r"\\div\b"), "/"),
    (re.compile(r"\\(?:left|right)(?=[()])|\\[()\[\]]|\\[,;! ]"), " "),
)
_BULLET = re.compile(r"^[ \t]*[-+*•][ \t]+", re.MULTILINE)
_LOOK_BEHIND = 20
_VARIABLE_BEFORE = re.compile(r"(?<!\w)(?![aAI])[a-zA-Z]\s*$")


class Malformed(ValueError):
    """A run that looks like arithmetic and is none, or that has no value; the text says why."""


class Token(NamedTuple):
    """A number (`value` set) or a symbol, and where it stands."""

    symbol: str
    value: Fraction | None
    start: int
    end: int


class Expression(NamedTuple):
    """An expression in a text. `tokens` are canonical: "2 plus 2" equals "2+2"."""

    value: Fraction
    tokens: tuple[str | Fraction, ...]
    start: int
    end: int

    @property
    def operands(self) -> frozenset[Fraction]:
        """The numbers it is made of."""
        return frozenset(t for t in self.tokens if isinstance(t, Fraction))

    @property
    def is_fraction(self) -> bool:
        """True for "12/5" and "-12/5": may be read as a number."""
        tokens = self.tokens[1:] if self.tokens[0] == "-" else self.tokens
        return len(tokens) == len(("12", "/", "5")) and tokens[1] == "/"


def plain(text: str) -> str:
    """LaTeX commands as symbols, list bullets gone; every offset of this module refers to it."""
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    return _BULLET.sub(lambda m: " " * len(m.group()), text)


def expressions_in(text: str, *, strict: bool = False) -> Iterator[Expression]:
    """All expressions of a `plain` text, in order.

    With `strict`, raises Malformed where a run of at least two numbers does not parse or has no
    value (division by zero, bounds); otherwise such runs are passed over.
    """
    for run in _runs(text):
        numbers = sum(t.value is not None for t in run)
        if numbers < FEWEST_NUMBERS or all(t.value is not None or t.symbol in "()" for t in run):
            continue
        try:
            yield _expression(run, text)
        except Malformed as error:
            if strict:
                raise Malformed(f"{text[run[0].start : run[-1].end]!r}: {error}") from None


def _expression(run: list[Token], text: str) -> Expression:
    if _VARIABLE_BEFORE.search(text[max(0, run[0].start - _LOOK_BEHIND) : run[0].start]):
        raise Malformed("it continues an expression with a variable")
    if len(run) > MAX_TOKENS:
        raise Malformed(f"longer than {MAX_TOKENS} tokens")
    value = _Parser(run).whole()
    canonical = tuple(t.symbol if t.value is None else t.value for t in run)
    return Expression(value, canonical, run[0].start, run[-1].end)


def _runs(text: str) -> Iterator[list[Token]]:
    run: list[Token] = []
    for token in _tokens(text):
        if run and text[run[-1].end : token.start].strip(" \t\u00a0"):
            yield _trimmed(run, text)
            run = []
        run.append(token)
    yield _trimmed(run, text)


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        if match["num"]:
            value = parsed(match["number"])
            if value is not None:
                yield Token("", value, start, end)
        else:
            symbol = " ".join(match.group().lower().split())
            yield Token(_WORDS.get(symbol, symbol), None, start, end)


def _trimmed(run: list[Token], text: str) -> list[Token]:
    """Without emphasis and without parentheses whose partner is outside of the run."""
    if len(run) > 2 * MAX_TOKENS:
        return run
    while run and run[0].symbol in ("*", "^") and _hugs(text, run[0].end):
        run = run[1:]
    while (
        run and run[-1].symbol in ("*", "^") and not text[run[-1].end : run[-1].end + 1].isalnum()
    ):
        run = run[:-1]
    unmatched = _unmatched(run)
    while unmatched and unmatched[0] == 0:
        run, unmatched = run[1:], [at - 1 for at in unmatched[1:]]
    while unmatched and unmatched[-1] == len(run) - 1:
        run, unmatched = run[:-1], unmatched[:-1]
    return run


def _unmatched(run: list[Token]) -> list[int]:
    """Positions of parentheses without a partner."""
    opened: list[int] = []
    closed: list[int] = []
    for at, token in enumerate(run):
        if token.symbol == "(":
            opened.append(at)
        elif token.symbol == ")" and opened:
            opened.pop()
        elif token.symbol == ")":
            closed.append(at)
    return sorted(opened + closed)


def _hugs(text: str, at: int) -> bool:
    return at < len(text) and not text[at].isspace()


class _Parser:
    """Recursive descent over one run. Raises Malformed."""

    def __init__(self, run: list[Token]) -> None:
        self.run = run
        self.at = 0
        self.depth = 0

    def whole(self) -> Fraction:
        """The value of all tokens."""
        value = self.sum()
        if self.at < len(self.run):
            raise Malformed("two operands without an operator, or an operator without its operand")
        return value

    def sum(self) -> Fraction:
        """Product (("+" | "-") product)*."""
        value = self.product()
        while self.peek() in ("+", "-"):
            plus = self.take().symbol == "+"
            right = self.product()
            value = bounded(value + right if plus else value - right)
        return value

    def product(self) -> Fraction:
        """Signed (("*" | "/") signed)*."""
        value = self.signed()
        while self.peek() in ("*", "/"):
            times = self.take().symbol == "*"
            right = self.signed()
            if not times and right == 0:
                raise Malformed("division by zero")
            value = bounded(value * right if times else value / right)
        return value

    def signed(self) -> Fraction:
        """("+" | "-") signed, or power. The sign touches what it signs."""
        if self.peek() not in ("+", "-"):
            return self.power()
        sign = self.take()
        if self.at < len(self.run) and self.run[self.at].start != sign.end:
            raise Malformed(f"an operator {sign.symbol!r} without its left operand")
        with_sign = self.nested(self.signed)
        return -with_sign if sign.symbol == "-" else with_sign

    def power(self) -> Fraction:
        """Atom, or atom "^" signed."""
        base = self.atom()
        if self.peek() != "^":
            return base
        self.take()
        exponent = self.nested(self.signed)
        if exponent.denominator != 1 or abs(exponent) > MAX_POWER:
            raise Malformed(f"only whole exponents up to {MAX_POWER} are computed")
        if base == 0 and exponent < 0:
            raise Malformed("division by zero")
        return bounded(Fraction(base**exponent))

    def atom(self) -> Fraction:
        """Number, or "(" sum ")"."""
        if self.at >= len(self.run):
            raise Malformed("it ends with an operator")
        token = self.take()
        if token.value is not None:
            return token.value
        if token.symbol != "(":
            raise Malformed(f"no operand before {token.symbol!r}")
        value = self.nested(self.sum)
        if self.peek() != ")":
            raise Malformed("a parenthesis is not closed")
        self.take()
        return value

    def nested(self, rule: Callable[[], Fraction]) -> Fraction:
        """Apply a rule one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Malformed(f"nested deeper than {MAX_DEPTH}")
        value = rule()
        self.depth -= 1
        return value

    def peek(self) -> str:
        """The next symbol, empty for a number or the end."""
        return self.run[self.at].symbol if self.at < len(self.run) else ""

    def take(self) -> Token:
        """The next token."""
        self.at += 1
        return self.run[self.at - 1]


def bounded(value: Fraction) -> Fraction:
    """The value itself. Raises Malformed where it outgrows MAX_BITS."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise Malformed(f"values beyond {MAX_BITS} bits are not computed")
    return value
