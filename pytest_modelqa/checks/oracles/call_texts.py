"""Tool calls in a completion: JSON or XML, alone, fenced, in `<tool_call>`, or within prose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree

from pytest_modelqa.checks.oracles.fences import Block, apart
from pytest_modelqa.checks.oracles.parsing import NotCode, no_constant

Format = Literal["json", "xml"]
MAX_TEXT = 20_000
"""Characters that are searched for calls: a call is short, and each brace is a try."""
MAX_TRIES = 200
"""Braces that are tried as the beginning of a JSON object."""

_ELEMENT = re.compile(r"<(tool_call|invoke)\b[^>]*>.*?</\1>", re.DOTALL)
_OPEN = re.compile(r"<(?:tool_call|invoke)\b")
_DOCTYPE = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_BEGINS = re.compile(r"\[?\s*\{\s*\"(?:name|tool|type|function)\"")
_NAMES = ("name", "tool")
_ARGUMENTS = ("arguments", "parameters", "input")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as it was written. From XML all values are texts, until a schema gives them types."""

    tool: str
    arguments: Mapping[str, Any]
    format: Format


def calls_in(text: str) -> list[Call]:
    """All calls of a text, in order. Raises NotCode where something is a call and is malformed.

    The whole text is JSON, or it holds elements (`<tool_call>` around XML or JSON, `<invoke>`),
    JSON in fenced blocks, or, in prose, objects that have the keys of a call. Other JSON in a
    fenced block is none beside a call, and a malformed one where it stands for the call.
    """
    text = text[:MAX_TEXT].strip()
    if (whole := _whole(text)) is not None:
        return [_from_json(value) for value in whole]
    elements = [_from_element(m[0]) for m in _ELEMENT.finditer(text)]
    rest = _ELEMENT.sub(" ", text)
    if _OPEN.search(rest):
        raise NotCode("a tool call in XML that is not closed")
    fenced, around = apart(rest)
    written = [b.code.strip() for b in fenced if _is_json(b)]
    others = (b.code for b in fenced if not _is_json(b))
    spoken = [_from_json(value) for value in _scattered("\n".join((around, *others)))]
    alone = not (elements or spoken or any(map(_holds_call, written)))
    meant = written if alone else [code for code in written if _holds_call(code)]
    return elements + [_from_json(v) for code in meant for v in _listed(_decoded(code))] + spoken


def _from_element(source: str) -> Call:
    inner = re.sub(r"^<tool_call\b[^>]*>|</tool_call>$", "", source).strip()
    if inner.startswith(("{", "[")):
        return _only(_decoded(inner))
    root = _element(source)
    if root.tag == "tool_call" and len(root) == 1 and root[0].tag == "invoke":
        root = root[0]
    return _invoke(root) if root.tag == "invoke" else _named(root)


def _element(source: str) -> ElementTree.Element:
    if _DOCTYPE.search(source):
        raise NotCode("a document type has no place in a tool call")
    try:
        return ElementTree.fromstring(source)  # noqa: S314 - entities need a document type
    except ElementTree.ParseError as error:
        raise NotCode(f"the XML of the tool call does not parse: {error}") from None


def _named(root: ElementTree.Element) -> Call:
    """`<tool_call><name>read_file</name><arguments><path>a.ts</path></arguments></tool_call>`."""
    parts = [(child.tag, child) for child in root]
    _require_once([tag for tag, _ in parts])
    found = dict(parts)
    if set(found) != {"name", "arguments"}:
        raise NotCode(f"<tool_call> holds {', '.join(found) or 'nothing'}, not name and arguments")
    arguments = [(child.tag, _leaf(child)) for child in found["arguments"]]
    return _xml_call(_leaf(found["name"]), arguments)


def _invoke(root: ElementTree.Element) -> Call:
    """`<invoke name="read_file"><parameter name="path">a.ts</parameter></invoke>`."""
    if any(child.tag != "parameter" for child in root):
        raise NotCode("<invoke> holds something else than <parameter>")
    arguments = [(child.get("name", ""), _leaf(child)) for child in root]
    return _xml_call(root.get("name", ""), arguments)


def _xml_call(name: str, arguments: list[tuple[str, str]]) -> Call:
    _require_once([key for key, _ in arguments])
    if not name.strip():
        raise NotCode("the tool call names no tool")
    return Call(tool=name.strip(), arguments=dict(arguments), format="xml")


def _leaf(element: ElementTree.Element) -> str:
    if len(element):
        raise NotCode(f"<{element.tag}> holds elements; a text is expected")
    return element.text or ""


def _require_once(keys: list[str]) -> None:
    if twice := {k for k in keys if keys.count(k) > 1}:
        raise NotCode(f"given twice: {', '.join(sorted(twice))}")


def _whole(text: str) -> list[Any] | None:
    """The values of a text that is JSON from end to end; None where it is not."""
    if not text.startswith(("{", "[")):
        return None
    try:
        value = _decoded(text)
    except NotCode:
        return None
    return _listed(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_json(block: Block) -> bool:
    begins = block.code.lstrip().startswith(("{", "["))
    return begins and block.tag in ("json", "", "tool_call")


def _holds_call(code: str) -> bool:
    """Whether a block holds a call, or begins like one and is broken."""
    try:
        values = _listed(_decoded(code))
    except NotCode:
        return bool(_BEGINS.match(code))
    return any(isinstance(v, dict) and _looks_like_call(v) for v in values)


def _scattered(text: str) -> Iterator[Any]:
    """Objects within prose that look like calls; one that begins like a call must be whole."""
    at = tries = 0
    while (at := text.find("{", at)) >= 0 and tries < MAX_TRIES:
        tries += 1
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            if _BEGINS.match(text[at : at + 40]):
                raise NotCode(f"the JSON of the tool call does not parse: {error}") from None
            at += 1
            continue
        if isinstance(value, dict) and _looks_like_call(value):
            yield value
        at = end


def _looks_like_call(value: dict[str, Any]) -> bool:
    return "function" in value or (
        any(k in value for k in _NAMES) and any(k in value for k in _ARGUMENTS)
    )


def _only(value: Any) -> Call:
    if isinstance(value, list):
        if len(value) != 1:
            raise NotCode(f"a list of {len(value)} calls in one <tool_call>")
        value = value[0]
    return _from_json(value)


def _from_json(value: Any) -> Call:
    """`{"name": ..., "arguments": {...}}`, or the same below `function` (OpenAI)."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict):
        raise NotCode(f"a tool call is an object, this is {json.dumps(value)[:40]}")
    name = next((value[k] for k in _NAMES if k in value), None)
    arguments = next((value[k] for k in _ARGUMENTS if k in value), None)
    if isinstance(arguments, str):  # OpenAI writes them as a text that holds JSON
        arguments = _decoded(arguments)
    if not isinstance(name, str) or not name:
        raise NotCode(f"the tool call names no tool: {json.dumps(value)[:60]}")
    if not isinstance(arguments, dict):
        raise NotCode(f"the call of {name} has no object of arguments")
    return Call(tool=name, arguments=arguments, format="json")


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotCode(f"the JSON of the tool call does not parse: {error}") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError(f"a key is given twice: {', '.join(keys)}")
    return dict(pairs)


_DECODER = json.JSONDecoder(parse_constant=no_constant, object_pairs_hook=_pairs)
