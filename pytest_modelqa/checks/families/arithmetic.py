"""Arithmetic: sums, differences and products of small whole numbers, and stories about them."""

from __future__ import annotations

from collections.abc import Callable
from operator import add, mul, sub

from pytest_modelqa.checks.families.family import (
    Family,
    Field,
    Kind,
    OneOf,
    Params,
    Question,
    Whole,
)
from pytest_modelqa.checks.oracles.arithmetic import Arithmetic
from pytest_modelqa.checks.oracles.contains import Contains
from pytest_modelqa.core.check import Category

MOST = 99
"""Largest operand of sums and differences: what small chat models are expected to compute."""
MOST_FACTOR = 20
"""Largest factor of products."""

FORMS = (
    "What is {}?",
    "Compute {}.",
    "How much is {}?",
    "Calculate {}. Answer with the number only.",
    "{} =",
    "Please tell me what {} is.",
)
NAMES = ("Tom", "Ada", "Mia", "Ben", "Zoe", "Raj", "Lin", "Eva")
THINGS = ("apples", "books", "coins", "pens", "stamps", "eggs", "cards", "marbles")


def family(room: int) -> Family:  # noqa: ARG001 - the signature of every family
    """The kinds, simplest first."""
    return Family(
        name="arithmetic",
        category=Category.QUAL,
        kinds={
            "sum": _computed("+", "plus", add, MOST),
            "difference": _computed("-", "minus", sub, MOST),
            "product": _computed("*", "times", mul, MOST_FACTOR),
            "story": Kind(
                fields={
                    "name": OneOf(values=NAMES),
                    "thing": OneOf(values=THINGS),
                    "a": Whole(low=1, high=MOST),
                    "b": Whole(low=1, high=MOST),
                },
                build=_story,
            ),
        },
    )


def _computed(sign: str, word: str, operation: Callable[[int, int], int], most: int) -> Kind:
    def build(params: Params) -> Question:
        a, b = params["a"], params["b"]
        between = word if params["style"] == "words" else sign
        prompt = params["form"].format(f"{a} {between} {b}")
        return Question(prompt, Arithmetic(expected=operation(a, b)))

    fields: dict[str, Field] = {
        "form": OneOf(values=FORMS),
        "style": OneOf(values=("signs", "words")),
        "a": Whole(low=0, high=most),
        "b": Whole(low=0, high=most),
    }
    return Kind(fields=fields, build=build)


def _story(params: Params) -> Question:
    """Both numbers are positive, so that no echo of the story holds their sum."""
    name, thing, a, b = (params[k] for k in ("name", "thing", "a", "b"))
    prompt = f"{name} has {a} {thing} and gets {b} more. How many {thing} does {name} have now?"
    return Question(prompt, Contains(expected=str(a + b)))
