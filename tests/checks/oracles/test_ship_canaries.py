"""The committed canaries and examples: validators tell right answers from wrong ones."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion

pytestmark = pytest.mark.tier1

SHIP = Path(__file__).parents[3] / "playbooks" / "ship"
EXAMPLES = ("pdca_quality", "pdca_schema", "tron")
COMMON = ("name", "group", "prompt", "system", "oracle", "max_tokens", "stop")
TASKS: list[dict[str, Any]] = yaml.safe_load((SHIP / "canaries.yaml").read_text("utf-8"))["tasks"]
GROUPS = {
    "pattern knowledge": 5,
    "PDCA structure": 5,
    "code generation": 5,
    "decisions": 3,
    "tools": 2,
}
TOPICS = {
    "empty-constructor": "constructor",
    "five-layers": "layers",
    "radical-oop": "oop",
    "scenario-state": "scenario",
    "init-purpose": "init",
    "pdca-sections": "pdca",
    "tron-parts": "tron",
    "dual-links": "links",
    "cmm-levels": "cmm",
    "verification-checklist": "checklist",
    "jest-or-vitest": "vitest",
    "by-hand-or-not": "automation",
    "when-to-read": "tools",
    "call-structure": "calls",
}
"""Canaries, and the topic of training/synth that teaches them."""
CLASS = (
    "```typescript\nexport class NAME {\n  private label!: string;\n\n  constructor() {}\n\n"
    "  init(label: string): this {\n    this.label = label;\n    return this;\n  }\n\n"
    "  toScenario(): { label: string } {\n    return { label: this.label };\n  }\n}\n```"
)
RIGHT = {
    "simple-class": CLASS.replace("NAME", "Greeting"),
    "component-with-init": CLASS.replace("NAME", "ClockFace"),
    "to-scenario": CLASS.replace("NAME", "Thermostat"),
    "layer2-file": CLASS.replace("NAME", "DoorSensor"),
    "vitest-file": "```ts\nimport { expect, it } from 'vitest';\n\n"
    "it('is there', () => {\n  expect(new DoorSensor()).toBeDefined();\n});\n```",
    "constructor-review": "No. Keep the constructor empty and load them in `init()`.",
}
WRONG = {
    "empty-constructor": "It is a pattern in which a constructor has no arguments at all.",
    "five-layers": "The five layers are presentation, business, service, data and network.",
    "radical-oop": "It rests on inheritance, polymorphism and abstraction of classes.",
    "scenario-state": "State is managed by different situations that may happen in an app.",
    "init-purpose": "The init() method is called by the runtime and returns nothing.",
    "pdca-sections": "A PDCA has the sections Plan, Do, Check and Adjust.",
    "tron-parts": "TRON means Task, Result, Objective and Note.",
    "dual-links": "One link follows the page before, the other precedes the page after.",
    "cmm-levels": "CMM has three levels: low, medium and high.",
    "verification-checklist": "The verification checklist is a list that you use to verify.",
    "simple-class": CLASS.replace("NAME", "Greeting").replace(
        "constructor() {}", "constructor() { this.label = ''; }"
    ),
    "component-with-init": CLASS.replace("NAME", "ClockFace").replace("init(", "setup("),
    "to-scenario": CLASS.replace("NAME", "Thermostat").replace("toScenario", "toJson"),
    "layer2-file": CLASS.replace("NAME", "DoorSensor").replace("export ", ""),
    "vitest-file": "```ts\nimport { expect, it } from '@jest/globals';\n\n"
    "it('is there', () => {\n  expect(1).toBe(1);\n});\n```",
    "jest-or-vitest": "Use Jest: it is older and better known than Vitest.",
    "by-hand-or-not": "Do it by hand, because a person sees more than a machine.",
    "constructor-review": "Yes, a constructor is the right place to load the settings.",
    "when-to-read": "Use it whenever you like to call a tool.",
    "call-structure": "A tool call consists of a verb and its object.",
}


def oracle_of(task: Mapping[str, Any]) -> Oracle:
    """The oracle that a playbook would make of a task."""
    fields = {k: v for k, v in task.items() if k not in COMMON}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    made: Oracle = table()[task["oracle"]](**values)
    return made


@cache
def table() -> Mapping[str, type[Oracle]]:
    """All oracles by name."""
    return oracle_table()


@cache
def taught() -> Mapping[str, list[str]]:
    """Answers of the training grammar by topic, of both sides."""
    from training.synth.draw import Draw, Side
    from training.synth.sets import MAKERS
    from training.synth.words import POOLS, QUALIFIERS, ROLES

    answers = defaultdict(list)
    sides: tuple[Side, Side] = ("train", "held")
    for side in sides:
        rng = Random(11)
        for _ in range(300):
            draw = Draw(rng, side, POOLS)
            draw.bind(entity=draw.pick(QUALIFIERS) + draw.pick(ROLES), count="22", times="3")
            made = MAKERS["domain_patterns"](draw)
            answers[made.template.rpartition("-")[2]].append(made.output)
    return answers


def test_ship_canaries_are_twenty_in_five_groups() -> None:
    assert Counter(task["group"] for task in TASKS) == GROUPS
    assert len({task["name"] for task in TASKS}) == len({task["prompt"] for task in TASKS}) == 20


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["name"])
def test_ship_canary_accepts_what_is_taught(task: dict[str, Any]) -> None:
    name = task["name"]
    answers = [RIGHT[name]] if name in RIGHT else taught()[TOPICS[name]]
    assert answers
    oracle = oracle_of(task)
    verdicts = [oracle.judge(task["prompt"], completion(text)) for text in answers]
    assert [v.reason for v in verdicts if v.outcome is not Outcome.CORROBORATED] == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["name"])
def test_ship_canary_negative_rejects_a_wrong_answer(task: dict[str, Any]) -> None:
    for text in (WRONG[task["name"]], task["prompt"], "I do not know."):
        verdict = oracle_of(task).judge(task["prompt"], completion(text))
        assert verdict.outcome is not Outcome.CORROBORATED, text


@pytest.mark.parametrize("name", EXAMPLES)
def test_ship_examples_negative_are_judged_as_they_say(name: str) -> None:
    lines = (SHIP / "examples" / f"{name}.jsonl").read_text("utf-8").splitlines()
    seen = Counter[bool]()
    for line in map(json.loads, lines):
        fields = {k: v for k, v in line.items() if k not in ("answer", "passes", "why", "prompt")}
        verdict = oracle_of({"oracle": name, **fields}).judge("", completion(line["answer"]))
        assert (verdict.outcome is Outcome.CORROBORATED) == line["passes"], line["why"]
        seen[line["passes"]] += 1
    assert seen[True] >= 5
    assert seen[False] >= 10
