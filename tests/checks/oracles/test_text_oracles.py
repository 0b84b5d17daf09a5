"""Contains, regex, exact, json_schema, completeness, length, and what all oracles share."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_modelqa.checks.oracles import ORACLES, oracle_table
from pytest_modelqa.checks.oracles.arithmetic import Arithmetic
from pytest_modelqa.checks.oracles.code_syntax import CodeSyntax
from pytest_modelqa.checks.oracles.completeness import Completeness
from pytest_modelqa.checks.oracles.contains import Contains
from pytest_modelqa.checks.oracles.empty_constructor import EmptyConstructor
from pytest_modelqa.checks.oracles.exact import Exact
from pytest_modelqa.checks.oracles.garbage import Garbage
from pytest_modelqa.checks.oracles.json_schema import JsonSchema
from pytest_modelqa.checks.oracles.length import Length
from pytest_modelqa.checks.oracles.markdown_sections import MarkdownSections
from pytest_modelqa.checks.oracles.pdca_quality import PdcaQuality
from pytest_modelqa.checks.oracles.pdca_schema import PdcaSchema
from pytest_modelqa.checks.oracles.python_callable import PythonCallable
from pytest_modelqa.checks.oracles.refusal import Refusal
from pytest_modelqa.checks.oracles.regex import Regex
from pytest_modelqa.checks.oracles.tool_call import ToolCall
from pytest_modelqa.checks.oracles.tree_sitter_query import TreeSitterQuery
from pytest_modelqa.checks.oracles.tron import Tron
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion
from tests.checks.oracles.pdca_documents import TRON, pdca

pytestmark = pytest.mark.tier1

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
ANNA = '{"name": "Anna", "age": 3}'
DESK = "class Desk { size!: number; constructor() {} init() { this.size = 2; } }"
CLASSES = TreeSitterQuery(language="typescript", query="(class_declaration) @c", max_matches=1)
GREETS = ToolCall(tools={"greet": PERSON})
MENTIONS = PythonCallable(callable="tests.checks.oracles.judges:mentions")
GREEN: list[tuple[Oracle, Generation]] = [
    (Arithmetic(), completion("4")),
    (CodeSyntax(language="python"), completion("x = 1")),
    (Garbage(), completion("Paris is the capital of France.")),
    (Contains(expected="Paris"), completion("It is Paris.")),
    (Contains(expected="PARIS"), completion("paris")),
    (Contains(expected=("red", "blue")), completion("Blue and red.")),
    (Contains(expected=("red", "blue"), match="any"), completion("blue")),
    (Contains(expected="New York"), completion("new\n york")),
    (Contains(expected="Pari", whole_word=False), completion("Parisian")),
    (Contains(expected="\u6771\u4eac", whole_word=False), completion("\u6771\u4eac\u3067\u3059")),
    (Contains(expected="C++"), completion("Use C++ here.")),
    (Contains(expected="4"), completion("It is 4.")),
    (Regex(pattern=r"\b\d{4}\b"), completion("in 1969.")),
    (Regex(pattern="yes|no", flags=("ignore_case",), full=True), completion(" Yes\n")),
    (Regex(pattern="^b$", flags=("multi_line",)), completion("a\nb\nc")),
    (Exact(expected="4"), completion(" 4\n")),
    (Exact(expected="Yes", ignore_case=True), completion("YES")),
    (JsonSchema(schema=PERSON), completion(ANNA)),
    (JsonSchema(schema=PERSON), completion(f"Here:\n```json\n{ANNA}\n```\nDone.")),
    (JsonSchema(schema=PERSON), completion(f"```\n{ANNA}\n```\nAnd", finish="length")),
    (Completeness(), completion("Done.")),
    (Length(max=3), completion("one two three")),
    (Length(min=2), completion("one two", finish="length")),
    (Length(unit="chars", min=4, max=4), completion(" four \n")),
    (Length(unit="tokens", max=8), completion("text", tokens=8)),
    (MarkdownSections(sections=("Plan", "Do")), completion("## Plan\n\nTests.\n\n## Do\n\nDone.")),
    (PdcaSchema(), completion(pdca())),
    (PdcaQuality(), completion(pdca())),
    (Tron(), completion(TRON)),
    (EmptyConstructor(), completion(DESK)),
    (CLASSES, completion(DESK)),
    (GREETS, completion(f'{{"name": "greet", "arguments": {ANNA}}}')),
    (Refusal(expected="refuse"), completion("I can't do that.")),
    (Refusal(expected="comply"), completion("Sure, it is 4.")),
    (MENTIONS, completion("All is ready.")),
]
RED: list[tuple[Oracle, Generation]] = [
    (Arithmetic(), completion("14")),
    (CodeSyntax(language="python"), completion("Sorry.")),
    (Garbage(), completion("pard" * 60)),
    (Contains(expected="Paris"), completion("Parisian")),
    (Contains(expected="Paris", ignore_case=False), completion("paris")),
    (Contains(expected=("red", "blue")), completion("red")),
    (Contains(expected=("red", "blue"), match="any"), completion("green")),
    (Contains(expected="4"), completion("14, 2.4 or 4.5")),
    (Regex(pattern=r"\b\d{4}\b"), completion("19691")),
    (Regex(pattern="yes", full=True), completion("yes, sir")),
    (Exact(expected="4"), completion("4.")),
    (Exact(expected="4", strip=False), completion("4 ")),
    (Exact(expected="Yes"), completion("yes")),
    (JsonSchema(schema=PERSON), completion('{"name": 4}')),
    (JsonSchema(schema=PERSON), completion('{"nam": "Anna"}')),
    (JsonSchema(schema=PERSON), completion("Anna is 3.")),
    (JsonSchema(schema=PERSON), completion(f"Here you are: {ANNA}")),
    (JsonSchema(schema=PERSON), completion("```json\n{]\n```\nAnd", finish="length")),
    (Completeness(), completion("And then", finish="length")),
    (Completeness(), completion("And then", finish="context")),
    (Length(max=2), completion("one two three")),
    (Length(max=2), completion("one two three", finish="length")),
    (Length(min=3), completion("one two")),
    (Length(unit="tokens", max=7), completion("text", tokens=8)),
    (MarkdownSections(sections=("Plan", "Do")), completion("## Do\n\nDone.\n\n## Plan\n\nTests.")),
    (PdcaSchema(), completion(pdca(links=""))),
    (PdcaQuality(), completion(pdca(do="Did what was needed."))),
    (Tron(), completion(TRON.replace("Next", "Then"))),
    (EmptyConstructor(), completion(DESK.replace("constructor() {}", "constructor() { go(); }"))),
    (CLASSES, completion(f"{DESK}\nclass Chair {{}}")),
    (GREETS, completion('{"name": "greet", "arguments": {"age": 3}}')),
    (Refusal(expected="refuse"), completion("Sure, it is 4.")),
    (Refusal(expected="comply"), completion("I can't do that.")),
    (MENTIONS, completion("Not yet.")),
]
UNDECIDED: list[tuple[Oracle, Generation]] = [
    (CodeSyntax(language="json"), completion('{"a": ', finish="length")),
    (Regex(pattern="z"), completion("a" * 2001)),
    (JsonSchema(schema=PERSON), completion('{"name": "An', finish="length")),
    (JsonSchema(schema={"$ref": "https://example.org/none"}), completion("{}")),
    (Length(max=9), completion("one two", finish="length")),
    (EmptyConstructor(), completion(DESK, finish="length")),
    (CLASSES, completion(DESK, finish="length")),
    (GREETS, completion('{"name": "greet", "argum', finish="length")),
    (Refusal(expected="refuse"), completion("I can't do that, but", finish="length")),
    (PythonCallable(callable="tests.checks.oracles.judges:broken"), completion("ready")),
    (Length(min=3), completion("one two", finish="context")),
]


@pytest.mark.parametrize(("oracle", "answer"), GREEN)
def test_a_sound_answer_is_corroborated(oracle: Oracle, answer: Generation) -> None:
    verdict = oracle.judge("What is 2 + 2?", answer)
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason
    assert verdict.tested > 0


@pytest.mark.parametrize(("oracle", "answer"), RED)
def test_a_planted_defect_is_falsified(oracle: Oracle, answer: Generation) -> None:
    verdict = oracle.judge("What is 2 + 2?", answer)
    assert verdict.outcome is Outcome.FALSIFIED, verdict.reason


@pytest.mark.parametrize(("oracle", "answer"), UNDECIDED)
def test_an_answer_that_does_not_decide_is_inconclusive(oracle: Oracle, answer: Generation) -> None:
    verdict = oracle.judge("What is 2 + 2?", answer)
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.reason
    assert verdict.remedy or verdict.tested


def test_every_oracle_has_a_red_and_a_green_example() -> None:
    assert {type(o) for o, _ in GREEN} == {type(o) for o, _ in RED} == set(ORACLES)


@pytest.mark.parametrize("oracle", {o.name: o for o, _ in GREEN}.values(), ids=lambda o: o.name)
def test_no_oracle_accepts_nan_or_silence(oracle: Oracle) -> None:
    prompt = "What is 2 + 2?"
    sound = next(a for o, a in GREEN if o is oracle)
    nan = completion(sound.text, nonfinite=1)
    for answer, said in ((nan, "NaN"), (completion(""), "no text"), (completion(" \n"), "no text")):
        verdict = oracle.judge(prompt, answer)
        assert verdict.outcome is Outcome.FALSIFIED
        assert said in verdict.reason


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        (Contains, {"expected": ""}, "contained in everything"),
        (Contains, {"expected": ()}, "contained in everything"),
        (Contains, {"expected": ("a", " ")}, "contained in everything"),
        (Contains, {"expected": "a", "match": "some"}, "neither"),
        (Regex, {"pattern": "("}, "no regular expression"),
        (Regex, {"pattern": "a*"}, "matches the empty text"),
        (Regex, {"pattern": "(a+)+b"}, "take for ever"),
        (Regex, {"pattern": "(a|aa)*b"}, "take for ever"),
        (Regex, {"pattern": "a.*b.*c.*d"}, "too long"),
        (Regex, {"pattern": "a" * 1001}, "longer than"),
        (Regex, {"pattern": "a", "flags": ("verbose",)}, "unknown"),
        (Exact, {"expected": " "}, "never passes"),
        (JsonSchema, {"schema": {}}, "restricts something"),
        (JsonSchema, {"schema": {"type": "objekt"}}, "objekt"),
        (Length, {}, "min, max or both"),
        (Length, {"min": 3, "max": 2}, "no text can pass"),
        (Length, {"min": 3, "unit": "lines"}, "none of"),
    ],
)
def test_impossible_parameters_are_refused(
    kind: type[Any], parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        kind(**parameters)


def test_reasons_say_what_was_found() -> None:
    verdict = JsonSchema(schema=PERSON).judge("", completion('{"name": 4, "age": -1}'))
    assert "2 violations" in verdict.reason
    assert "$.age: -1 is less than the minimum of 0" in verdict.reason
    verdict = Completeness().judge("", completion("a b c", finish="length", tokens=3))
    assert verdict.reason == "cut off at max_tokens after 3 tokens, ending in 'a b c'"


def test_only_arithmetic_minds_the_prompt() -> None:
    table = {o.name: o.problem_with("Hello") for o, _ in GREEN}
    assert [name for name, problem in table.items() if problem] == ["arithmetic"]


def test_the_table_holds_our_oracles_by_name() -> None:
    assert oracle_table() == {o.name: o for o in ORACLES}
