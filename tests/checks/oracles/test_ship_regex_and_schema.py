"""Regex and JSON Schema as validators of a harness: near misses fail, unusual right ones pass."""

from __future__ import annotations

import pytest

from pytest_modelqa.checks.oracles.json_schema import JsonSchema
from pytest_modelqa.checks.oracles.regex import Regex
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion

VERSION = Regex(pattern=r"\bv\d+\.\d+\.\d+\b")
NO_VERSION = {
    "two numbers": "It is v1.2.",
    "a letter among them": "v1.x.3",
    "upper case": "V1.2.3",
    "no v": "Version 1.2.3",
    "spaces": "v 1.2.3",
    "commas": "v1,2,3",
    "within a word": "dev1.2.3",
    "a tail of letters": "v1.2.3rc",
    "words": "v one.two.three",
    "across lines": "v1.2.\n3",
    "nothing of it": "There is no release yet.",
}
A_VERSION = {
    "alone": "v1.2.3",
    "a full stop after it": "It is v1.2.3.",
    "large numbers": "v10.200.3000",
    "zeros": "v0.0.0",
    "in brackets": "the last one (v1.2.3)",
    "in a path": "/releases/v1.2.3/notes",
    "in code": "`git checkout v1.2.3`",
    "a suffix behind a dash": "v1.2.3-beta",
    "on a later line": "first\nsecond\nv1.2.3",
    "two of them": "from v1.2.3 to v1.2.4",
    "a fourth number": "v1.2.3.4",
}
DESK = JsonSchema(
    schema={
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "size": {"type": "integer", "minimum": 1},
            "tags": {"type": "array", "items": {"enum": ["new", "old"]}, "uniqueItems": True},
        },
        "required": ["name", "size"],
        "additionalProperties": False,
    }
)
NO_DESK = {
    "a key is missing": '{"name": "a"}',
    "a key too many": '{"name": "a", "size": 1, "colour": "red"}',
    "a text for a number": '{"name": "a", "size": "1"}',
    "a fraction": '{"name": "a", "size": 1.5}',
    "below the minimum": '{"name": "a", "size": 0}',
    "an empty name": '{"name": "", "size": 1}',
    "a truth for a number": '{"name": "a", "size": true}',
    "an unknown tag": '{"name": "a", "size": 1, "tags": ["used"]}',
    "a tag twice": '{"name": "a", "size": 1, "tags": ["new", "new"]}',
    "a list": '[{"name": "a", "size": 1}]',
    "single quotes": "{'name': 'a', 'size': 1}",
    "a comma too many": '{"name": "a", "size": 1,}',
    "prose around it": 'Here: {"name": "a", "size": 1}',
    "a bracket is missing": '{"name": "a", "size": 1',
}
A_DESK = {
    "in one line": '{"name":"a","size":1}',
    "other order": '{"size": 1, "name": "a"}',
    "many lines": '{\n  "name": "a",\n  "size": 1\n}',
    "fenced": '```json\n{"name": "a", "size": 1}\n```',
    "fenced with prose": 'Here it is:\n\n```json\n{"name": "a", "size": 1}\n```\n\nThat is all.',
    "an untagged fence": '```\n{"name": "a", "size": 1}\n```',
    "escapes": '{"name": "\\u00e4\\n\\"", "size": 1}',
    "no tags": '{"name": "a", "size": 1, "tags": []}',
    "both tags": '{"name": "a", "size": 1, "tags": ["old", "new"]}',
    "a whole number written as a fraction": '{"name": "a", "size": 1.0}',
    "an exponent": '{"name": "a", "size": 1e2}',
    "white space around it": '\n\n  {"name": "a", "size": 1}  \n',
}


@pytest.mark.parametrize("text", NO_VERSION.values(), ids=NO_VERSION)
def test_ship_negative_near_misses_of_a_regex_fail(text: str) -> None:
    assert VERSION.judge("", completion(text)).outcome is Outcome.FALSIFIED


@pytest.mark.parametrize("text", A_VERSION.values(), ids=A_VERSION)
def test_ship_negative_unusual_matches_of_a_regex_pass(text: str) -> None:
    assert VERSION.judge("", completion(text)).outcome is Outcome.CORROBORATED


@pytest.mark.parametrize("text", NO_DESK.values(), ids=NO_DESK)
def test_ship_negative_near_misses_of_a_schema_fail(text: str) -> None:
    assert DESK.judge("", completion(text)).outcome is Outcome.FALSIFIED


@pytest.mark.parametrize("text", A_DESK.values(), ids=A_DESK)
def test_ship_negative_unusual_documents_of_a_schema_pass(text: str) -> None:
    verdict = DESK.judge("", completion(text))
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason
