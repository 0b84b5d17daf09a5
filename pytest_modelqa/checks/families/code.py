"""Code: short functions and queries, answered in a line or two; the answer is parsed, never run."""

from __future__ import annotations

from pytest_modelqa.checks.families.family import (
    Family,
    Field,
    Kind,
    OneOf,
    Params,
    Question,
    Whole,
)
from pytest_modelqa.checks.oracles.code_syntax import CodeSyntax, Language
from pytest_modelqa.core.check import Category

NAMES = ("f", "g", "convert", "change", "compute", "shift", "apply", "update")
RESULTS = (
    "its argument plus {}",
    "its argument minus {}",
    "its argument times {}",
    "whether its argument is greater than {}",
    "whether its argument equals {}",
    "the larger of its argument and {}",
)
ENDS = ("Answer with code only.", "Do not explain it.", "Only the code, please.")
TABLES = ("users", "orders", "products", "books", "cities", "events")
COLUMNS = ("id", "price", "age", "year", "size", "total")
MOST = 999


def family(room: int) -> Family:  # noqa: ARG001 - the signature of every family
    """The kinds, simplest first."""
    return Family(
        name="code",
        category=Category.QUAL,
        kinds={
            "python": _function("python", "Python"),
            "javascript": _function("javascript", "JavaScript"),
            "sql": Kind(
                fields={
                    "end": OneOf(values=ENDS),
                    "table": OneOf(values=TABLES),
                    "column": OneOf(values=COLUMNS),
                    "n": Whole(low=0, high=MOST),
                },
                build=_query,
            ),
        },
        usual="code_syntax",
    )


def _function(language: Language, spoken: str) -> Kind:
    def build(params: Params) -> Question:
        result = params["result"].format(params["n"])
        prompt = (
            f"Write a {spoken} function named {params['name']} that returns {result}. "
            f"{params['end']}"
        )
        return Question(prompt, CodeSyntax(language=language))

    fields: dict[str, Field] = {
        "end": OneOf(values=ENDS),
        "name": OneOf(values=NAMES),
        "result": OneOf(values=RESULTS),
        "n": Whole(low=0, high=MOST),
    }
    return Kind(fields=fields, build=build)


def _query(params: Params) -> Question:
    prompt = (
        f"Write an SQL query that selects all rows of the table {params['table']} where the column "
        f"{params['column']} is greater than {params['n']}. {params['end']}"
    )
    return Question(prompt, CodeSyntax(language="sql"))
