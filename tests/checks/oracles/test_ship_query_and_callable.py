"""Queries over syntax trees, and functions of the user, as oracles."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_modelqa.checks.oracles.python_callable import PythonCallable
from pytest_modelqa.checks.oracles.tree_sitter_query import TreeSitterQuery
from pytest_modelqa.core.verdict import Outcome, Verdict
from tests.checks.oracles.completions import completion

TO_SCENARIO = '(method_definition name: (property_identifier) @name (#eq? @name "toScenario"))'
CONSOLE = (
    '(call_expression function: (member_expression object: (identifier) @o) (#eq? @o "console"))'
)
NEAR_MISSES = {
    "another name": "class A { toJson() { return {}; } }",
    "a call of that name": "a.toScenario();",
    "a string of that name": "const name = 'toScenario';",
    "a comment of that name": "// toScenario\nclass A { run() {} }",
    "a function of that name": "function toScenario() { return {}; }",
    "a signature alone": "interface A { toScenario(): S }",
    "a field of that name": "class A { toScenario = 1; }",
    "another case": "class A { toscenario() { return {}; } }",
    "does not parse": "class A { toScenario() { return {}; }",
    "prose": "The class has a method toScenario.",
    "a block of another language": "```python\nclass A: pass\n```",
}
UNUSUAL = {
    "async": "class A { async toScenario() { return {}; } }",
    "static": "class A { static toScenario() { return {}; } }",
    "private": "class A { private toScenario(): S { return {}; } }",
    "generic": "class A { toScenario<T>(of: T): T { return of; } }",
    "an object": "const a = { toScenario() { return {}; } };",
    "nested": "function make() { return class { toScenario() { return {}; } }; }",
    "exported": "export default class A { toScenario() { return {}; } }",
    "a getter": "class A { get toScenario() { return {}; } }",
    "several": "class A { toScenario() { return 1; } }\nclass B { toScenario() { return 2; } }",
    "fenced": "```ts\nclass A { toScenario() { return {}; } }\n```",
    "two blocks": "```ts\nlet a = 1;\n```\n```ts\nclass A { toScenario() { return {}; } }\n```",
}

NEARLY_TRUE = (
    1, 0, None, "True", "yes", [True], {"passed": True}, (True,), (True, ""), (True, None),
    (1, "one"), ("reason", True), (True, "a", "b"), (True, 7), ..., float("nan"),
)  # fmt: skip
CALLABLES = (
    "mentions", "explains", "JUDGE", "JUDGE.method", "JUDGE.__call__", "Judge.static",
    "Judge.of_class", "PARTIAL", "LAMBDA", "defaulted", "many",
)  # fmt: skip


def found(text: str, **fields: Any) -> Verdict:
    made = {"language": "typescript", "query": TO_SCENARIO, **fields}
    return TreeSitterQuery(**made).judge("", completion(text))


def called(name: str, answer: str = "ready", **parameters: Any) -> Verdict:
    path = f"tests.checks.oracles.judges:{name}"
    return PythonCallable(callable=path, parameters=parameters).judge("Go.", completion(answer))


@pytest.mark.parametrize("text", NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_ship_negative_near_misses_of_a_query_fail(text: str) -> None:
    assert found(text).outcome is Outcome.FALSIFIED


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_ship_negative_unusual_matches_of_a_query_pass(text: str) -> None:
    verdict = found(text)
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason


def test_ship_negative_both_limits_of_matches_are_kept() -> None:
    one, two = (f"class A {{ {'toScenario() { return 1; } ' * n}}}" for n in (1, 2))
    assert found(one, max_matches=1).outcome is Outcome.CORROBORATED
    assert found(two, max_matches=1).outcome is Outcome.FALSIFIED
    assert found(one, min_matches=2).outcome is Outcome.FALSIFIED
    assert found(two, min_matches=2, max_matches=2).outcome is Outcome.CORROBORATED


def test_ship_negative_nothing_may_match_where_zero_is_asked() -> None:
    limits: dict[str, Any] = {"query": CONSOLE, "min_matches": 0, "max_matches": 0}
    assert found("class A { run() { return 1; } }", **limits).outcome is Outcome.CORROBORATED
    verdict = found("class A { run() { console.log(1); } }", **limits)
    assert verdict.outcome is Outcome.FALSIFIED
    assert "1 matches" in verdict.reason
    assert found("Nothing is logged.", **limits).outcome is Outcome.FALSIFIED


def test_javascript_and_tsx_have_their_own_grammars() -> None:
    element = "const a = <Desk open />;"
    query = "(jsx_self_closing_element) @e"
    for language in ("tsx", "javascript"):
        assert found(element, language=language, query=query).outcome is Outcome.CORROBORATED
    with pytest.raises(ValueError, match="query: not one of typescript"):
        found(element, query=query)


def test_code_that_was_cut_off_is_not_searched() -> None:
    oracle = TreeSitterQuery(language="typescript", query=TO_SCENARIO)
    text = "```ts\nclass A { toScenario() { return {}; } }"
    assert oracle.judge("", completion(text, finish="length")).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"query": "(no_such_node)"}, "query: not one of typescript"),
        ({"query": "(class_declaration"}, "query: not one of typescript"),
        ({"query": "; a comment"}, "query: it holds no pattern"),
        ({"language": "cobol"}, "language: 'cobol'"),
        ({"min_matches": 0}, "min_matches: 0 without max_matches"),
        ({"min_matches": 3, "max_matches": 2}, "max_matches: below min_matches"),
    ],
)
def test_impossible_parameters_of_a_query_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        found("class A {}", **fields)


def test_ship_negative_a_function_of_the_user_decides() -> None:
    assert called("mentions").outcome is Outcome.CORROBORATED
    assert called("mentions", "not yet").outcome is Outcome.FALSIFIED
    assert called("mentions", "done", word="done").outcome is Outcome.CORROBORATED
    verdict = called("explains", "not yet")
    assert verdict.outcome is Outcome.FALSIFIED
    assert verdict.reason == "3 and 7 characters"
    assert called("explains").reason == "3 and 5 characters"


@pytest.mark.parametrize("what", NEARLY_TRUE, ids=repr)
def test_ship_negative_what_is_nearly_true_is_never_a_pass(what: Any) -> None:
    verdict = called("says", what=what)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.remedy == "repair that function"
    assert "not a bool or (bool, reason)" in verdict.reason


def test_ship_negative_a_function_that_raises_is_never_a_pass() -> None:
    verdict = called("broken")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "raised KeyError: 'Go.ready'" in verdict.reason


@pytest.mark.parametrize("name", CALLABLES)
def test_ship_negative_unusual_callables_decide_as_functions_do(name: str) -> None:
    assert called(name, "all is ready").outcome is Outcome.CORROBORATED
    assert called(name, "not yet").outcome is Outcome.FALSIFIED


def test_ship_negative_no_text_is_falsified_before_the_function_is_asked() -> None:
    assert called("always", " ").outcome is Outcome.FALSIFIED
    assert called("always", "x").outcome is Outcome.CORROBORATED


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tests.checks.oracles.judges", "not of the form"),
        ("tests.checks.oracles.judges:", "not of the form"),
        ("no_such_package.judges:f", "no_such_package.judges does not import"),
        ("tests.checks.oracles.judges:missing", "has no function missing"),
        ("tests.checks.oracles.judges:NUMBER", "has no function NUMBER"),
        ("tests.checks.oracles.judges:later", "is async"),
        ("tests.checks.oracles.judges:narrow", r"does not take \(prompt, answer"),
    ],
)
def test_a_path_that_leads_to_no_function_is_refused_when_it_is_loaded(
    path: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        PythonCallable(callable=path)


def test_parameters_that_the_function_does_not_take_are_refused() -> None:
    with pytest.raises(ValueError, match="unexpected keyword argument 'words'"):
        PythonCallable(callable="tests.checks.oracles.judges:mentions", parameters={"words": 1})
