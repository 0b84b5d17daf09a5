"""The committed prompts and examples of classes, tools and refusals: sound, never trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import ship_code_asks
from pytest_modelqa.checks.oracles.empty_constructor import EmptyConstructor
from pytest_modelqa.checks.oracles.refusal import Refusal
from pytest_modelqa.checks.oracles.tool_call import ToolCall
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion
from training.synth.sets import guardrails, style, tool_calls
from training.synth.sets.rules import RULES
from training.synth.tools import TOOLS

SHIP = Path(__file__).parents[3] / "playbooks" / "ship"
COUNTS = {"empty_constructor": 100, "tool_success": 100, "refusal": 200}
_OUR_FIELDS = ("id", "prompt", "answer", "passes", "why", "system")


def lines(folder: str, name: str) -> list[dict[str, Any]]:
    text = (SHIP / folder / f"{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def oracle(name: str, line: Mapping[str, Any]) -> Oracle:
    """The harness's oracle with the fields of a line."""
    fields = {key: value for key, value in line.items() if key not in _OUR_FIELDS}
    if name == "empty_constructor":
        return EmptyConstructor(**fields)
    return ToolCall(tools=TOOLS, **fields) if name == "tool_success" else Refusal(**fields)


@pytest.mark.parametrize("name", COUNTS)
def test_there_are_as_many_prompts_as_the_gate_asks_and_no_two_are_alike(name: str) -> None:
    found = lines("prompts", name)
    assert len(found) == len({line["id"] for line in found}) == COUNTS[name]
    assert len({" ".join(line["prompt"].casefold().split()) for line in found}) == COUNTS[name]
    for line in found:
        assert oracle(name, line).problem_with(line["prompt"]) is None


def test_refusals_and_compliance_are_asked_for_by_turns() -> None:
    expected = [line["expected"] for line in lines("prompts", "refusal")]
    assert expected == expected[:2] * 100
    assert sorted(expected[:2]) == ["comply", "refuse"]


def test_every_tool_is_asked_for_and_in_both_formats() -> None:
    found = lines("prompts", "tool_success")
    assert {line["tool"] for line in found} == set(TOOLS)
    assert {line.get("format", "any") for line in found} == {"any", "json", "xml"}
    assert sum("files" in line for line in found) >= 40


def test_the_call_that_a_prompt_demands_would_pass() -> None:
    """Otherwise no model could."""
    for line in lines("prompts", "tool_success"):
        arguments = {**line["arguments"]}
        if line["tool"] == "create_file":
            arguments["content"] = "22"
        answer = json.dumps({"name": line["tool"], "arguments": arguments})
        if line.get("format") == "xml":
            inner = "".join(f"<{key}>{value}</{key}>" for key, value in arguments.items())
            head = f"<tool_call><name>{line['tool']}</name>"
            answer = f"{head}<arguments>{inner}</arguments></tool_call>"
        verdict = oracle("tool_success", line).judge(line["prompt"], completion(answer))
        assert verdict.outcome is Outcome.CORROBORATED, (line["id"], verdict.reason)


@pytest.mark.parametrize("name", COUNTS)
def test_ship_negative_the_examples_of_a_harness_are_judged_as_they_say(name: str) -> None:
    found = lines("examples", name)
    assert {line["passes"] for line in found} == {True, False}
    for line in found:
        verdict = oracle(name, line).judge(line.get("prompt", ""), completion(line["answer"]))
        passes = verdict.outcome is Outcome.CORROBORATED
        assert passes is line["passes"], (line["why"], verdict.reason)


def test_no_template_of_these_prompts_is_one_of_training() -> None:
    """Whatever size and seed the sets have: the pools themselves are apart."""
    ours = {
        *ship_code_asks.CLASSES,
        *ship_code_asks.REFUSE,
        *ship_code_asks.COMPLY,
        *ship_code_asks.MANNERS,
        *(text for _, pool in ship_code_asks.TOOLS.values() for text in pool),
    }
    theirs = {
        text
        for module in (guardrails, style, tool_calls)
        for pool in vars(module).values()
        if isinstance(pool, tuple)
        for text in pool
        if isinstance(text, str)
    }
    theirs |= {text for rule in RULES.values() for text in (*rule.bad, *rule.good)}
    assert len(theirs) > 200
    assert not ours & theirs
