"""What a family of scenarios is: kinds of questions, their parameters, and how a question is built.

A parameter is drawn through `below(n)`, which gives a whole number from 0 to n - 1: one code path
serves drawing, shrinking (0 is simplest) and replaying. Values are plain JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pytest_modelqa.core.check import Category, Oracle
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.core.ids import canonical

Below = Callable[[int], int]
Params = Mapping[str, Any]
"""One example: `family`, `kind`, and a value for each field of the kind."""


class Question(NamedTuple):
    """What is asked, and who judges the answer."""

    prompt: str
    oracle: Oracle


class Field(Protocol):
    """A parameter of a kind."""

    @property
    def expected(self) -> str:
        """The values that are allowed, in words."""

    def drawn(self, below: Below) -> Any:
        """Choose a value; all zeros choose the simplest."""

    def accepts(self, value: Any) -> bool:
        """Whether a value read from JSON is one that could have been drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number, both ends included; the lowest is simplest."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        """The range."""
        return f"a whole number from {self.low} to {self.high}"

    def drawn(self, below: Below) -> int:
        """A number of the range."""
        return self.low + below(self.high - self.low + 1)

    def accepts(self, value: Any) -> bool:
        """True for an int (bool is none) in the range."""
        return type(value) is int and self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """One of some texts; the first is simplest."""

    values: tuple[str, ...]

    @property
    def expected(self) -> str:
        """The texts."""
        return f"one of {', '.join(map(ascii, self.values))}"

    def drawn(self, below: Below) -> str:
        """One of the texts."""
        return self.values[below(len(self.values))]

    def accepts(self, value: Any) -> bool:
        """True for one of the texts."""
        return isinstance(value, str) and value in self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """A list of different texts, from `fewest` to `most` of them, in any order."""

    values: tuple[str, ...]
    fewest: int
    most: int

    @property
    def expected(self) -> str:
        """The texts and how many."""
        listed = ", ".join(map(ascii, self.values))
        return f"a list of {self.fewest} to {self.most} different ones of {listed}"

    def drawn(self, below: Below) -> list[str]:
        """Some of the texts."""
        size = self.fewest + below(self.most - self.fewest + 1)
        left = list(self.values)
        return [left.pop(below(len(left))) for _ in range(size)]

    def accepts(self, value: Any) -> bool:
        """True for a list of as many different texts."""
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            return False
        sized = self.fewest <= len(value) <= self.most
        return sized and set(value) <= set(self.values) and len(set(value)) == len(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Characters:
    """A text over an alphabet, its length in code points; the first character is simplest."""

    alphabet: str
    fewest: int
    most: int

    @property
    def expected(self) -> str:
        """The alphabet and the length."""
        return f"{self.fewest} to {self.most} characters of {self.alphabet!a}"

    def drawn(self, below: Below) -> str:
        """A text."""
        size = self.fewest + below(self.most - self.fewest + 1)
        return "".join(self.alphabet[below(len(self.alphabet))] for _ in range(size))

    def accepts(self, value: Any) -> bool:
        """True for such a text."""
        if not isinstance(value, str):
            return False
        return self.fewest <= len(value) <= self.most and set(value) <= set(self.alphabet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One form of question. `build` is pure: equal parameters make equal questions."""

    fields: Mapping[str, Field]
    build: Callable[[Params], Question]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Kinds of questions, the simplest first. `usual` names the oracle of a family with one."""

    name: str
    category: Category
    kinds: Mapping[str, Kind]
    usual: str = ""

    def drawn(self, below: Below) -> dict[str, Any]:
        """The parameters of one example."""
        kind = tuple(self.kinds)[below(len(self.kinds))]
        values = {name: field.drawn(below) for name, field in self.kinds[kind].fields.items()}
        return {"family": self.name, "kind": kind, **values}

    def question(self, params: Params) -> Question:
        """The question that these parameters make."""
        return self.kinds[params["kind"]].build(params)

    def parsed(self, text: str) -> dict[str, Any]:
        """Parameters from JSON. Raises UsageError that says what was expected."""
        params = params_of(text)
        if params.get("family") != self.name:
            raise unfit(f"family is {params.get('family')!r}, expected {self.name!r}")
        kind = params.get("kind")
        if not isinstance(kind, str) or kind not in self.kinds:
            raise unfit(f"kind is {kind!r}, expected one of {', '.join(self.kinds)}")
        fields = self.kinds[kind].fields
        names = {"family", "kind", *fields}
        if unknown := sorted(params.keys() - names):
            raise unfit(f"unknown key {', '.join(unknown)}; expected {', '.join(sorted(names))}")
        if missing := sorted(names - params.keys()):
            raise unfit(f"{', '.join(missing)} missing")
        for name, field in fields.items():
            if not field.accepts(params[name]):
                raise unfit(f"{name} is {ascii(params[name])[:80]}, expected {field.expected}")
        return params


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A drawn example: its parameters as canonical JSON, and the choices that made it."""

    text: str
    choices: tuple[int, ...]

    @property
    def params(self) -> dict[str, Any]:
        """The parameters."""
        params: dict[str, Any] = json.loads(self.text)
        return params


def example(family: Family, below: Below) -> Example:
    """Draw an example and record the choices; where there is only one way, nothing is drawn."""
    choices: list[int] = []

    def recording(n: int) -> int:
        if n == 1:
            return 0
        choices.append(below(n))
        return choices[-1]

    params = family.drawn(recording)
    return Example(text=canonical(params), choices=tuple(choices))


def params_of(text: str) -> dict[str, Any]:
    """The JSON object. Raises UsageError where the text is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise unfit(f"no JSON: {error}") from None
    if not isinstance(value, dict):
        raise unfit(f"a JSON object was expected, not {type(value).__name__}")
    return value


def unfit(what: str) -> UsageError:
    """The error for parameters that nobody drew."""
    return UsageError(
        f"example: {what}", remedy="copy the --example of the verdict's replay command whole"
    )
