"""Playbooks: the shipped ones as trees and as text, edited both ways."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

import yaml

from pytest_modelqa.playbook.shipped import shipped_folder
from suites.fuzz import tree_edits
from suites.fuzz.byte_edits import edited as edited_bytes
from suites.fuzz.files import Files

NAME = "book.yaml"
_SHIPPED = ("models/smollm2-135m-instruct.yaml", "models/qwen2.5-coder-0.5b-instruct.yaml")
_LINES = (
    "extends: standard", "extends: book.yaml", "extends: ../book.yaml", 'extends: "a\\0b"',
    'extends: "\\uD800"', f"extends: {'a' * 5000}.yaml", "extends: /dev/null", "extends: .",
    "<<: *x", "a: &x [*x]", "&a a: *a", "? [a, b]\n: c", "!!python/object:os.system {}",
    "seed: !!int x", "seed: 0x10", "seed: 1_000", "seed: .inf", "seed: -1", "seed: 1e400",
    "seed: 999999999999999999999999", "version: 1.0", "tier: yes", "\tx: 1", "%YAML 1.1",
    "---", "...", "- x", "'", '"', "|", ">9", "@x", "`x`", "{", "[", "]", "}", ",", "\ufeff",
    "gates: {F-SCENARIO: off}", "limits: {n_ctx: 1e9}", "model:", "scenarios: [[]]", "x: \x85 y",
)  # fmt: skip
"""Lines that YAML or a playbook gives a meaning, a wrong one, or none."""


@cache
def _texts() -> tuple[str, ...]:
    folder = shipped_folder()
    return (
        _BLOCKS,
        f"extends: quick\n{_BLOCKS}",
        *((folder / name).read_text(encoding="utf-8") for name in _SHIPPED),
    )


_BLOCKS = """\
version: "1.0"
model:
  id: test/scripted
  artifacts:
    - {format: gguf, quantization: f32, source: "file:script.json", engine: scripted}
test_matrix:
  modalities: [chat, run]
  backends: [cpu]
  formats: [gguf]
  quantizations: [f32]
gates: {F-SCENARIO: {severity: P1}}
limits: {request_timeout_s: 5, n_ctx: 512}
scenarios:
  - {name: a, prompt: "2 + 2", oracle: arithmetic, expected: 4}
  - {name: b, prompt: "x", oracle: regex, pattern: "[a-z]+"}
  - {name: c, prompt: "x", oracle: json_schema, schema: {type: object, required: [a]}}
  - {name: d, prompt: "x", oracle: length, min: 1, max: 9, mode: fast}
scenarios_generated: {count: 3}
failure_policy: collect_all
seed: 7
"""


@cache
def _trees() -> tuple[Any, ...]:
    return tuple(yaml.safe_load(text) for text in _texts())


def seeds() -> tuple[Files, ...]:
    """The sound playbooks that mutations start from."""
    return tuple({NAME: text.encode()} for text in _texts())


def mutated(dice: Random) -> Files:
    """One mutated playbook."""
    pick = dice.randrange(20)
    at = dice.randrange(len(_texts()))
    if pick < 12:
        return {NAME: _written(dice, tree_edits.edited(dice, _trees()[at]))}
    if pick < 18:
        return {NAME: _lines(dice, _texts()[at])}
    if pick == 18:
        return {NAME: _nested(dice, _texts()[at]).encode()}
    return {NAME: edited_bytes(dice, _texts()[at].encode())}


def _written(dice: Random, tree: Any) -> bytes:
    if dice.random() < 0.5:
        return tree_edits.text(dice, tree)
    try:
        return str(yaml.safe_dump(tree, sort_keys=False)).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return json.dumps(tree, default=str).encode()


def _nested(dice: Random, text: str) -> str:
    """With a value nested beyond what a parser that recurses can follow."""
    depth = dice.choice((70, 300, 1000, 5000))
    opened, closed = dice.choice((("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")))
    key = dice.choice(("scenarios", "limits", "gates", "description", "x"))
    return f"{text}{key}:\n  {opened * depth}1{closed * depth}\n"


def _lines(dice: Random, text: str) -> bytes:
    lines = text.split("\n")
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(lines))
        pick = dice.randrange(5)
        if pick == 0:
            lines[at] = dice.choice((" ", "  ", "\t", "-", "  - ")) + lines[at]
        elif pick == 1:
            lines[at] = lines[at].lstrip()
        elif pick == 2:
            lines.insert(at, lines[dice.randrange(len(lines))])
        else:
            indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            lines.insert(at, indent + dice.choice(_LINES))
    return "\n".join(lines).encode("utf-8", "surrogatepass")
