"""Formatting: the answer has the form that was asked for, whatever it says."""

from __future__ import annotations

from pytest_modelqa.checks.families.family import (
    Family,
    Kind,
    OneOf,
    Params,
    Question,
    Several,
    Whole,
)
from pytest_modelqa.checks.oracles.contains import Contains
from pytest_modelqa.checks.oracles.json_schema import JsonSchema
from pytest_modelqa.checks.oracles.regex import Regex
from pytest_modelqa.core.check import Category

WORDS = (
    "apple", "river", "stone", "cloud", "green", "tiger", "piano", "bread", "light", "ocean",
    "table", "paper", "horse", "music", "sugar", "wheel", "north", "candle", "garden", "winter",
)  # fmt: skip
KEYS = ("name", "age", "city", "color", "size", "year", "price", "title", "id", "country")
THINGS = ("fruits", "colors", "animals", "countries", "cities", "rivers", "tools", "sports")
MARKS = {
    "double quotes": ('"', '"'),
    "square brackets": ("[", "]"),
    "parentheses": ("(", ")"),
    "asterisks": ("*", "*"),
}
MOST_LINES = 4


def family(room: int) -> Family:  # noqa: ARG001 - the signature of every family
    """The kinds, simplest first."""
    return Family(
        name="formatting",
        category=Category.QUAL,
        kinds={
            "repeat": Kind(
                fields={"words": Several(values=WORDS, fewest=1, most=5)}, build=_repeat
            ),
            "upper": Kind(fields={"words": Several(values=WORDS, fewest=1, most=3)}, build=_upper),
            "marks": Kind(
                fields={
                    "mark": OneOf(values=tuple(MARKS)),
                    "words": Several(values=WORDS, fewest=1, most=3),
                },
                build=_marks,
            ),
            "lines": Kind(
                fields={
                    "thing": OneOf(values=THINGS),
                    "lines": Whole(low=2, high=MOST_LINES),
                },
                build=_lines,
            ),
            "json": Kind(fields={"keys": Several(values=KEYS, fewest=1, most=3)}, build=_json),
        },
    )


def _repeat(params: Params) -> Question:
    text = " ".join(params["words"])
    return Question(f"Repeat exactly this text: {text}", Contains(expected=text))


def _upper(params: Params) -> Question:
    text = " ".join(params["words"])
    return Question(
        f"Write this text in upper case: {text}",
        Contains(expected=text.upper(), ignore_case=False),
    )


def _marks(params: Params) -> Question:
    before, after = MARKS[params["mark"]]
    text = " ".join(params["words"])
    return Question(
        f"Write this text in {params['mark']}, like {before}this{after}: {text}",
        Contains(expected=f"{before}{text}{after}", whole_word=False),
    )


def _lines(params: Params) -> Question:
    line = r"- \S[^\n]*"
    return Question(
        f"List {params['lines']} {params['thing']}. Begin each line with a dash and a space.",
        Regex(pattern=r"^" + r"\n+".join([line] * params["lines"]), flags=("multi_line",)),
    )


def _json(params: Params) -> Question:
    keys = params["keys"]
    named = ", ".join(f'"{key}"' for key in keys)
    return Question(
        f"Write a JSON object with these keys: {named}. Use short values. Answer with JSON only.",
        JsonSchema(schema={"type": "object", "required": keys}),
    )
