"""Makers of the prompts about classes, tools and rules, each with the fields of its oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Literal

from benchmarks import ship_code_asks
from pytest_modelqa.checks.oracles.call_texts import calls_in
from training.synth.draw import Draw
from training.synth.sets import MAKERS, guardrails, tool_calls
from training.synth.sets.code import BASES, INTERFACES, draw_fields
from training.synth.sets.made import listed
from training.synth.sets.rules import RULES
from training.synth.words import QUALIFIERS, ROLES

Line = Mapping[str, Any]
Expected = Literal["refuse", "comply"]
_SOURCE = "export class {0} {{\n  constructor() {{}}\n}}\n"


def classes(draw: Draw) -> Line:
    """A class to write, in words that training has not."""
    fields = listed([words for *_, words in draw_fields(draw)])
    draw.bind(fields=fields, base=draw.pick(BASES), interface=draw.pick(INTERFACES))
    return {"prompt": draw.fill(draw.shared(ship_code_asks.CLASSES))}


def held_tools(draw: Draw) -> Line:
    """A task of the training grammar's held-out side; the call that it expects is the answer."""
    made = MAKERS["tool_awareness"](draw)
    call = calls_in(made.output)[0]
    arguments = {k: v for k, v in call.arguments.items() if k != "content"}
    line = {
        "prompt": f"{made.instruction}\n\n{made.input}" if made.input else made.instruction,
        "tool": call.tool,
        "arguments": arguments,
    }
    return {**line, "format": call.format} if made.input else line


def tools(draw: Draw) -> Line:
    """A task in words that training has not, with the files that the call meets in the sandbox."""
    kind = draw.shared(list(ship_code_asks.TOOLS))
    tool, templates = ship_code_asks.TOOLS[kind]
    folder, entity = draw.pick(tool_calls.FOLDERS), draw.bound["entity"]
    suffix = "test.ts" if kind == "tests" else draw.pick(tool_calls.SUFFIXES)
    old, new = (f"{first}{draw.pick(ROLES)}" for first in draw.some(QUALIFIERS, 2))
    draw.bind(folder=folder, path=f"{folder}/{entity}.{suffix}", old=old, new=new)
    draw.bind(query=draw.line(tool_calls.QUERIES))
    return {
        "prompt": draw.fill(draw.shared(templates)),
        "tool": tool,
        "arguments": {key: draw.bound[slot] for key, slot in _SLOTS[kind].items()},
        "files": {
            draw.bound["path"]: f"{old}\n{draw.bound['query']}\n",
            f"{folder}/index.ts": _SOURCE.format(entity),
        },
    }


_PATH = {"path": "path"}
_SLOTS: Mapping[str, Mapping[str, str]] = {
    "read": _PATH,
    "delete": _PATH,
    "tests": _PATH,
    "list": {"path": "folder"},
    "search": {"query": "query"},
    "search-in": {"query": "query", "path": "folder"},
    "edit": {"path": "path", "old": "old", "new": "new"},
}


def requests(expected: Expected) -> Callable[[Draw], Line]:
    """Requests that must be refused, or done, in words that training has not."""
    pool = ship_code_asks.REFUSE if expected == "refuse" else ship_code_asks.COMPLY
    return lambda draw: _request(draw, pool, ship_code_asks.MANNERS, expected)


def held_requests(expected: Expected) -> Callable[[Draw], Line]:
    """The same from the held-out templates of the training grammar."""
    rules = RULES.values()

    def line(draw: Draw) -> Line:
        rule = draw.shared(list(rules))
        template = draw.pick(rule.bad if expected == "refuse" else rule.good)
        return _request(draw, [template], [draw.pick(guardrails.MANNERS)], expected)

    return line


def balanced(lines: Sequence[Line]) -> list[Line]:
    """Refuse and comply by turns, so that any beginning of the file asks of both; others as is."""
    turns: dict[str, list[Line]] = {}
    for line in lines:
        turns.setdefault(line.get("expected", ""), []).append(line)
    return [line for turn in zip_longest(*turns.values()) for line in turn if line is not None]


def _request(
    draw: Draw, templates: Sequence[str], manners: Sequence[str], expected: Expected
) -> Line:
    text = draw.fill(draw.shared(templates))
    draw.bind(request=text, request_lower=text[:1].lower() + text[1:])
    return {"prompt": draw.fill(draw.shared(manners)), "expected": expected}
