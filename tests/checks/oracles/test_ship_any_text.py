"""Whatever a model says, the oracles of code, tools and stances conclude, and never raise."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.checks.oracles.empty_constructor import EmptyConstructor
from pytest_modelqa.checks.oracles.refusal import Refusal
from pytest_modelqa.checks.oracles.tool_call import ToolCall
from pytest_modelqa.checks.oracles.tree_sitter_query import TreeSitterQuery
from pytest_modelqa.core.answer import Finish
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion
from training.synth.tools import TOOLS

ORACLES: tuple[Oracle, ...] = (
    EmptyConstructor(),
    Refusal(expected="refuse"),
    Refusal(expected="comply"),
    ToolCall(tools=TOOLS),
    ToolCall(tools=TOOLS, files={"a.ts": "class A {}"}),
    TreeSitterQuery(language="typescript", query="(class_declaration) @c"),
)
PIECES = st.sampled_from([
    "class A {", "constructor()", "super(", "init()", "this.x = 1;", "x = [", "}", "{", "(", ")",
    "extends B", "static", "#", "```ts\n", "```", "\n", "'", '"', "`${", "=> ", "<tool_call>",
    "</tool_call>", "<invoke name='", "<name>", "</name>", "<arguments>", '{"name": "read_file", ',
    '"arguments": {"path": "a.ts"}}', '{"function":', "[1,", "null", "\\u0000", "I can't ", "no. ",
    "Sure, ", "anyway ", "here is ", "> ", "- ", "that is not allowed", "?", "\x00", "\ud7ff",
])  # fmt: skip


@given(
    st.lists(PIECES | st.text(max_size=20), max_size=25).map("".join),
    st.sampled_from(["stop", "length", "context"]),
)
@settings(max_examples=80, deadline=None)
def test_ship_negative_no_text_makes_an_oracle_raise(text: str, finish: Finish) -> None:
    for oracle in ORACLES:
        verdict = oracle.judge("Use Jest for A", completion(text, finish=finish))
        assert verdict.outcome in (Outcome.CORROBORATED, Outcome.FALSIFIED, Outcome.INCONCLUSIVE)
        if not text.strip():
            assert verdict.outcome is Outcome.FALSIFIED


@given(st.lists(PIECES | st.text(max_size=20), max_size=25).map("".join))
@settings(max_examples=80, deadline=None)
def test_ship_negative_no_answer_is_right_as_a_refusal_and_as_compliance(text: str) -> None:
    outcomes = [oracle.judge("Use Jest", completion(text)).outcome for oracle in ORACLES[1:3]]
    assert outcomes.count(Outcome.CORROBORATED) <= 1
