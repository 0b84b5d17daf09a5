"""Tool call: the completion calls one tool, as its schema says, and as the task demands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal

from pytest_modelqa.checks.oracles import parse_json
from pytest_modelqa.checks.oracles.parsing import NotCode
from pytest_modelqa.checks.oracles.text import judged_text, quoted, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

ENTRY_POINTS = "modelqa.tools"
"""The entry-point group through which distributions name sets of tools: mappings like `tools`."""
Schemas = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """Exactly one tool call, whose arguments are valid under the JSON Schema of that tool.

    `tools` maps names to schemas, or is the name of such a mapping in the entry-point group
    `modelqa.tools`. Forms that are understood: docs/oracles.md; text around the call is allowed.
    `tool` is the one that must be called, `arguments` values that its arguments must have,
    `format` how the call must be written. With `files`, paths to contents, the call is also tried
    in a sandbox of stubs: it must succeed there. Nothing is run, read or written.
    """

    name: ClassVar[str] = "tool_call"

    tools: str | Mapping[str, Mapping[str, Any]]
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    format: Literal["any", "json", "xml"] = "any"
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        schemas = self._schemas()
        if not schemas:
            raise ValueError("tools: at least one is expected")
        for tool, schema in schemas.items():
            _checked(tool, schema)
        if self.tool and self.tool not in schemas:
            raise ValueError(f"tool: {self.tool!r} is none of {', '.join(sorted(schemas))}")
        if self.arguments and not self.tool:
            raise ValueError("arguments: of which tool? `tool` is missing")
        if self.format not in ("any", "json", "xml"):
            raise ValueError(f"format: {self.format!r} is none of any, json, xml")
        if self.files and self.tool and self.tool not in _stubs().STUBS:
            raise ValueError(f"files: the tool {self.tool} has no stub to try the call with")

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: the tools were checked when they were named."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where the one call is valid, and is the one that is demanded."""
        if bad := unjudgeable(answer):
            return bad
        if answer.finish != "stop":
            return inconclusive(
                f"cut off after {len(answer.ids)} tokens: whether the call is the only one is open",
                tested=1,
                remedy="raise max_tokens, or stop at the end of the call",
            )
        try:
            calls = import_module(f"{__package__}.call_texts").calls_in(judged_text(answer))
        except NotCode as error:
            return falsified(str(error))
        if len(calls) != 1:
            return falsified(f"{len(calls)} tool calls, one expected: {quoted(answer.text)}")
        return self._verdict(calls[0])

    def _verdict(self, call: Any) -> Verdict:
        schemas = self._schemas()
        if call.tool not in schemas:
            return falsified(f"there is no tool {call.tool!r}, only {', '.join(sorted(schemas))}")
        arguments = dict(call.arguments)
        if call.format == "xml":
            arguments = typed(arguments, schemas[call.tool])
        try:
            count, said = _validation().violations(dict(schemas[call.tool]), arguments)
        except ValueError as error:
            return inconclusive(str(error), tested=1, remedy="correct the schema in the playbook")
        if count:
            return falsified(f"the call of {call.tool} breaks its schema: {said}")
        if wrong := self._differs(call, arguments):
            return falsified(wrong)
        return self._tried(call.tool, arguments)

    def _differs(self, call: Any, arguments: Mapping[str, Any]) -> str:
        """How a valid call is not the one that is demanded; empty where it is."""
        if self.format not in ("any", call.format):
            return f"a call in {self.format} is demanded, this is {call.format}"
        if self.tool and call.tool != self.tool:
            return f"{call.tool} is called, {self.tool} is demanded"
        for key, value in self.arguments.items():
            if key not in arguments or not _same(arguments[key], value):
                said = _shown(arguments[key]) if key in arguments else "missing"
                return f"{key} is {said}, {_shown(value)} is demanded"
        return ""

    def _tried(self, tool: str, arguments: Mapping[str, Any]) -> Verdict:
        if not self.files:
            return corroborated(f"a valid call of {tool}", tested=1)
        stubs = _stubs()
        if tool not in stubs.STUBS:
            return falsified(f"{tool} cannot be tried in the sandbox; it was not asked for")
        try:
            said = stubs.run(tool, arguments, self.files)
        except stubs.Failed as error:
            return falsified(f"the call of {tool} fails in the sandbox: {error}")
        return corroborated(f"a valid call of {tool}: {said}", tested=1)

    def _schemas(self) -> Schemas:
        return _announced(self.tools) if isinstance(self.tools, str) else self.tools


_OF_JSON = frozenset({"integer", "number", "boolean", "null", "array", "object"})
"""Types that XML can only write as texts."""


def typed(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Values of XML in the types that a schema gives its properties; what cannot be is left."""
    properties = schema.get("properties")
    named = properties.items() if isinstance(properties, Mapping) else ()
    kinds = {k: v.get("type") for k, v in named if isinstance(v, Mapping)}
    return {key: _value(value, kinds.get(key)) for key, value in arguments.items()}


def _value(text: str, kind: Any) -> Any:
    """As JSON where the schema wants anything but a text. NaN is none: no bound would hold it."""
    wanted = set(kind) if isinstance(kind, list) else {kind}
    if "string" in wanted or not wanted & _OF_JSON:
        return text
    try:
        return parse_json.value(text)
    except NotCode:
        return text


def _same(found: Any, wanted: Any) -> bool:
    """Equal in value and type: `true` is not 1. Texts may differ in white space at both ends."""
    if isinstance(found, str) and isinstance(wanted, str):
        return found.strip() == wanted.strip()
    return json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)


def _shown(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else json.dumps(value)[:80]


def _checked(tool: str, schema: Any) -> None:
    if not isinstance(schema, Mapping) or not schema:
        raise ValueError(f"tools: {tool}: a JSON Schema of its arguments is expected")
    if problem := _problem_with(json.dumps(schema, default=str)):
        raise ValueError(f"tools: {tool}: {problem}")


@cache
def _problem_with(schema: str) -> str:
    """What is wrong with a schema; cached, for each prompt of a harness names the same tools."""
    try:
        _validation().checked(json.loads(schema))
    except ValueError as error:
        return str(error)
    return ""


@cache
def _announced(name: str) -> Schemas:
    """The mapping that an installed distribution announces. Raises ValueError."""
    points = entry_points(group=ENTRY_POINTS)
    point = next((p for p in points if p.name == name), None)
    if point is None:
        known = ", ".join(sorted({p.name for p in points})) or "none"
        raise ValueError(f"tools: no distribution announces tools {name!r}; known: {known}")
    try:
        found = point.load()
    except Exception as error:
        raise ValueError(f"tools: {point.value} does not import: {error}") from error
    if isinstance(found, Mapping):
        return found
    raise ValueError(f"tools: {point.value} is no mapping of names to schemas")


def _validation() -> Any:
    return import_module(f"{__package__}.validation")


def _stubs() -> Any:
    return import_module(f"{__package__}.tool_stubs")
