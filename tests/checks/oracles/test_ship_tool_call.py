"""The tool call oracle: calls that nearly are right fail, unusual right ones pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.checks.oracles.tool_call import ToolCall, typed
from pytest_modelqa.core.verdict import Outcome, Verdict
from tests.checks.oracles.completions import completion
from training.synth.sides import generate
from training.synth.tools import TOOLS

SCHEMAS: dict[str, dict[str, Any]] = {
    **{name: dict(schema) for name, schema in TOOLS.items()},
    "wait": {
        "type": "object",
        "properties": {"seconds": {"type": "integer", "minimum": 1}, "loud": {"type": "boolean"}},
        "required": ["seconds"],
        "additionalProperties": False,
    },
}
READ = '{"name": "read_file", "arguments": {"path": "a.ts"}}'
XML = "<tool_call><name>{}</name><arguments>{}</arguments></tool_call>"
NEAR_MISSES = {
    "a bracket is missing": (READ[:-1], "does not parse"),
    "single quotes": (READ.replace('"', "'"), "0 tool calls"),
    "a comma too many": (READ.replace('"a.ts"', '"a.ts",'), "does not parse"),
    "a comment": (READ.replace("{", "{ // read\n", 1), "0 tool calls"),
    "an unknown tool": (READ.replace("read_file", "readFile"), "there is no tool 'readFile'"),
    "an argument is missing": ('{"name": "read_file", "arguments": {}}', "'path' is a required"),
    "an argument too many": (READ.replace("}}", ', "mode": "r"}}'), "Additional properties"),
    "a number for a text": (READ.replace('"a.ts"', "7"), "is not of type 'string'"),
    "a text for a number": (
        '{"name": "wait", "arguments": {"seconds": "5"}}',
        "is not of type 'integer'",
    ),
    "below the minimum": ('{"name": "wait", "arguments": {"seconds": 0}}', "less than the minimum"),
    "no arguments": ('{"name": "read_file"}', "no object of arguments"),
    "arguments are a list": ('{"name": "read_file", "arguments": ["a.ts"]}', "no object of arg"),
    "no name": ('{"arguments": {"path": "a.ts"}}', "names no tool"),
    "two calls": (f"{READ}\n{READ}", "2 tool calls"),
    "a list of two calls": (f"[{READ}, {READ}]", "2 tool calls"),
    "a call in each format": (f"{READ}\n<tool_call>{READ}</tool_call>", "2 tool calls"),
    "one fenced and one in prose": (f"```json\n{READ}\n```\nThen {READ}", "2 tool calls"),
    "XML with NaN": (XML.format("wait", "<seconds>NaN</seconds>"), "is not of type 'integer'"),
    "a fenced list that is no call": ("```json\n[1, 2]\n```", "a tool call is an object"),
    "a key given twice": (
        '{"name": "read_file", "name": "search", "arguments": {"path": "a.ts"}}',
        "given twice",
    ),
    "prose about a call": ("Call read_file with the path a.ts.", "0 tool calls"),
    "NaN": ('{"name": "wait", "arguments": {"seconds": NaN}}', "NaN is no JSON"),
    "XML that is not closed": ("<tool_call><name>read_file</name>", "not closed"),
    "XML with a wrong end": (XML.format("read_file", "<path>a.ts</file>"), "does not parse"),
    "XML with an argument twice": (
        XML.format("read_file", "<path>a</path><path>b</path>"),
        "given twice: path",
    ),
    "XML without arguments": ("<tool_call><name>read_file</name></tool_call>", "not name and arg"),
    "XML with a document type": (
        '<tool_call><!DOCTYPE a [<!ENTITY e "x">]><name>read_file</name></tool_call>',
        "document type",
    ),
    "XML with a word for a number": (XML.format("wait", "<seconds>five</seconds>"), "'integer'"),
    "XML with elements in an argument": (
        XML.format("read_file", "<path><b>a</b></path>"),
        "holds elements",
    ),
}
UNUSUAL = {
    "pretty printed": json.dumps(json.loads(READ), indent=4),
    "a fence and a sentence": f"I will look.\n\n```json\n{READ}\n```\n\nThen we see.",
    "an untagged fence": f"```\n{READ}\n```",
    "within a sentence": f"Calling {READ} now.",
    "braces in prose before it": f"The set {{1, 2}} is small. {READ}",
    "other order of keys": '{"arguments": {"path": "a.ts"}, "name": "read_file"}',
    "parameters": READ.replace("arguments", "parameters"),
    "an id beside it": READ.replace("{", '{"id": "call_1", ', 1),
    "OpenAI's form": json.dumps(
        {"type": "function", "function": {"name": "read_file", "arguments": '{"path": "a.ts"}'}}
    ),
    "a list of one": f"[{READ}]",
    "JSON in an element": f"<tool_call>\n{READ}\n</tool_call>",
    "XML": XML.format("read_file", "<path>a.ts</path>"),
    "XML with lines and escapes": XML.format(
        "\n search \n", "\n  <query>a &lt; b &amp;&amp; c</query>\n"
    ),
    "XML with a number and a truth": XML.format("wait", "<seconds>5</seconds><loud>true</loud>"),
    "a file beside it": f'<tool_call>{READ}</tool_call>\n```json\n{{"strict": true}}\n```',
    "a broken file beside it": f"<tool_call>{READ}</tool_call>\n```json\n{{strict: 1}}\n```",
    "in a block of another language": f"```typescript\n{READ}\n```",
    "invoke": '<invoke name="read_file"><parameter name="path">a.ts</parameter></invoke>',
    "a call within an argument": json.dumps(
        {"name": "search", "arguments": {"query": "<tool_call>x</tool_call>"}}
    ),
    "escaped quotes": '{"name": "search", "arguments": {"query": "describe(\\"x\\")"}}',
    "unicode": '{"name": "read_file", "arguments": {"path": "src/\\u00e4.ts"}}',
}
FILES = {"src/a.ts": "class Desk {}\n", "src/sub/b.ts": "new Desk()\n"}


def judged(text: str, **fields: Any) -> Verdict:
    return ToolCall(tools=SCHEMAS, **fields).judge("Do it.", completion(text))


def call(tool: str, **arguments: Any) -> str:
    return json.dumps({"name": tool, "arguments": arguments})


@pytest.mark.parametrize(("text", "said"), NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_ship_negative_near_misses_of_a_tool_call_fail(text: str, said: str) -> None:
    verdict = judged(text)
    assert verdict.outcome is Outcome.FALSIFIED
    assert said in verdict.reason


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_ship_negative_unusual_tool_calls_pass(text: str) -> None:
    verdict = judged(text)
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason


def test_ship_negative_a_valid_call_that_was_not_demanded_fails() -> None:
    demanded: dict[str, Any] = {"tool": "read_file", "arguments": {"path": "a.ts"}}
    assert judged(READ, **demanded).outcome is Outcome.CORROBORATED
    for text, said in {
        call("search", query="a.ts"): "read_file is demanded",
        call("read_file", path="b.ts"): "path is 'b.ts', 'a.ts' is demanded",
    }.items():
        verdict = judged(text, **demanded)
        assert verdict.outcome is Outcome.FALSIFIED
        assert said in verdict.reason


def test_ship_negative_true_is_not_the_number_one() -> None:
    fields: dict[str, Any] = {"tool": "wait", "arguments": {"loud": True}}
    assert judged(call("wait", seconds=1, loud=True), **fields).outcome is Outcome.CORROBORATED
    assert judged(call("wait", seconds=1), **fields).outcome is Outcome.FALSIFIED
    assert judged(call("wait", seconds=1, loud=False), **fields).outcome is Outcome.FALSIFIED


def test_ship_negative_the_format_that_is_demanded_is_kept() -> None:
    assert judged(READ, format="json").outcome is Outcome.CORROBORATED
    assert judged(READ, format="xml").outcome is Outcome.FALSIFIED
    assert judged(UNUSUAL["XML"], format="xml").outcome is Outcome.CORROBORATED
    assert judged(UNUSUAL["XML"], format="json").outcome is Outcome.FALSIFIED


@pytest.mark.parametrize(
    "text",
    [
        call("read_file", path="./src/a.ts"),
        call("list_files", path="src/sub"),
        call("list_files", path="."),
        call("search", query="new Desk", path="src/sub"),
        call("search", query="Desk"),
        call("edit_file", path="src/a.ts", old="Desk", new="Table"),
        call("delete_file", path="src/a.ts"),
        call("create_file", path="src/c.ts", content="class C {}"),
        call("run_tests", path="src/sub/b.ts"),
    ],
)
def test_ship_negative_calls_that_would_succeed_pass_the_sandbox(text: str) -> None:
    verdict = judged(text, files=FILES)
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (call("read_file", path="src/none.ts"), "no file src/none.ts"),
        (call("read_file", path="../secret"), "leads out of the project"),
        (call("read_file", path="/etc/passwd"), "leads out of the project"),
        (call("read_file", path="C:\\a.ts"), "leads out of the project"),
        (call("list_files", path="lib"), "no folder lib"),
        (call("search", query="Chair"), "found in none of 2 files"),
        (call("search", query="new Desk", path="src/a.ts"), "found in none of 1 files"),
        (call("edit_file", path="src/a.ts", old="Chair", new="Table"), "does not hold 'Chair'"),
        (call("edit_file", path="src/a.ts", old="Desk", new="Desk"), "changes nothing"),
        (call("create_file", path="src/a.ts", content="x"), "exists already"),
        (call("create_file", path="src/c.ts", content=" "), "without content"),
        (call("run_command", command="rm -rf ."), "cannot be tried in the sandbox"),
    ],
)
def test_ship_negative_calls_that_would_fail_do_not_pass_the_sandbox(text: str, said: str) -> None:
    verdict = judged(text, files=FILES)
    assert verdict.outcome is Outcome.FALSIFIED
    assert said in verdict.reason


def test_nothing_is_written_by_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = dict(FILES)
    judged(call("delete_file", path="src/a.ts"), files=files)
    judged(call("create_file", path="src/c.ts", content="class C {}"), files=files)
    assert files == FILES
    assert not list(tmp_path.iterdir())


def test_a_call_that_was_cut_off_is_inconclusive() -> None:
    verdict = ToolCall(tools=SCHEMAS).judge("", completion(READ[:30], finish="length"))
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_hostile_texts_are_judged_in_bounded_steps() -> None:
    for text in ("{" * 100_000, "[" * 100_000, '{"name": ' * 20_000, "<tool_call>" * 5_000):
        assert judged(text).outcome is Outcome.FALSIFIED


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tools": {}}, "tools: at least one"),
        ({"tools": {"a": {}}}, "tools: a: a JSON Schema"),
        ({"tools": {"a": {"type": "nothing"}}}, "tools: a: schema"),
        ({"tools": "nobody-has-these"}, "no distribution announces tools 'nobody-has-these'"),
        ({"tools": SCHEMAS, "tool": "fly"}, "tool: 'fly' is none of"),
        ({"tools": SCHEMAS, "arguments": {"path": "a"}}, "arguments: of which tool"),
        ({"tools": SCHEMAS, "format": "yaml"}, "format: 'yaml'"),
        ({"tools": SCHEMAS, "tool": "wait", "files": FILES}, "wait has no stub"),
    ],
)
def test_impossible_parameters_of_a_tool_call_are_refused(
    fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        ToolCall(**fields)


def test_a_distribution_can_announce_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "desk_tools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: desk-tools\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[modelqa.tools]\ndesk = desk_tools:TOOLS\n")
    (tmp_path / "desk_tools.py").write_text(f"TOOLS = {SCHEMAS!r}\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ToolCall(tools="desk").judge("", completion(READ)).outcome is Outcome.CORROBORATED


def test_all_calls_that_training_teaches_are_accepted() -> None:
    taught = [
        record
        for file in generate(2000, 3).files
        for record in file.records
        if record.metadata["set"] == "tool_awareness"
    ]
    assert len(taught) > 40
    oracle = ToolCall(tools=SCHEMAS)
    for record in taught:
        verdict = oracle.judge(record.prompt, completion(record.output))
        assert verdict.outcome is Outcome.CORROBORATED, (verdict.reason, record.output)


def test_values_of_xml_take_the_types_of_a_schema() -> None:
    schema: dict[str, Any] = {
        "properties": {
            "line": {"type": ["integer", "null"]},
            "either": {"type": ["integer", "string"]},
            "wait": {"type": "number", "maximum": 10},
            "any": True,
        }
    }
    given = {"line": "3", "either": "3", "wait": "NaN", "any": "3", "unknown": "3"}
    found = typed(given, schema)
    assert found == {"line": 3, "either": "3", "wait": "NaN", "any": "3", "unknown": "3"}
    assert typed({"line": "null"}, schema) == {"line": None}


def test_ship_negative_a_schema_of_no_dialect_is_refused_at_load() -> None:
    with pytest.raises(ValueError, match="a text is expected"):
        ToolCall(tools={"wait": {"$schema": 7, "type": "object"}})
