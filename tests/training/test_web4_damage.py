"""Every damage of the agent's data changes what it is meant to, wherever that is, and no more."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.metadata import entry_points
from typing import Any

import jsonschema
import pytest

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Outcome
from training.config import load
from training.records import Record
from training.synth import drawn
from training.synth.tools import TOOLS
from training.web4_agent.build import GROUNDWORK, RECIPE
from training.web4_agent.damage import DAMAGES, KEPT, damaged, lesson

COUNTS = {
    "style_core": 60, "domain_patterns": 60, "process_framework": 90, "domain_representatives": 20,
    "guardrails": 60, "tool_awareness": 60, "eval": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def records() -> list[Record]:
    sets = drawn(COUNTS, 7)
    return [record for part in sets.train for record in part.records]


def kind(record: Record) -> str:
    return str(record.metadata["template"]).split("-", 1)[0]


def changed(records: list[Record], name: str) -> list[tuple[Record, Record]]:
    """Before and after, of what the damage changed."""
    after = damaged(records, DAMAGES[name])
    assert len(after) == len(records)
    for old, new in zip(records, after, strict=True):
        assert (new.instruction, new.input, new.metadata) == (
            old.instruction,
            old.input,
            old.metadata,
        )
    return [pair for pair in zip(records, after, strict=True) if pair[0] != pair[1]]


def of(records: list[Record], *kinds: str) -> int:
    return sum(kind(record) in kinds for record in records)


def test_documents_lose_their_links_and_nothing_else(records: list[Record]) -> None:
    pairs = changed(records, "without_links")
    assert len(pairs) == of(records, "pdca") > 20
    for old, new in pairs:
        assert "FOLLOWS:" not in new.output
        assert "PRECEDES:" not in new.output
        rest = [line for line in old.output.splitlines() if ".pdca.md" not in line]
        assert [line for line in new.output.splitlines() if line] == [line for line in rest if line]


def test_sections_say_nothing_and_links_stay(records: list[Record]) -> None:
    pairs = changed(records, "without_substance")
    assert len(pairs) == of(records, "pdca")
    for old, new in pairs:
        assert re.findall("^## .*|^FOLLOWS.*|^PRECEDES.*", new.output, re.MULTILINE) == re.findall(
            "^## .*|^FOLLOWS.*|^PRECEDES.*", old.output, re.MULTILINE
        )
        bodies = re.split(r"^## \w+\n\n", new.output, flags=re.MULTILINE)[1:]
        assert len(bodies) == 5
        assert all(0 < len(body.strip()) < 25 for body in bodies)


def test_decisions_are_out_of_order_those_of_documents_too(records: list[Record]) -> None:
    pairs = changed(records, "without_order")
    assert len(pairs) == of(records, "tron", "plan", "pdca") > 40
    for old, new in pairs:
        assert re.findall(r"\*\*(\w+):\*\*", old.output)[0] == "Trigger"
        assert re.findall(r"\*\*(\w+):\*\*", new.output) == [
            "Response", "Outcome", "Next", "Trigger",
        ]  # fmt: skip
        assert sorted(old.output.splitlines()) == sorted(new.output.splitlines())


def test_constructors_get_the_logic_of_init(records: list[Record]) -> None:
    pairs = changed(records, "without_empty_constructors")
    coded = [record for record in records if re.search(r"^  init\(.*\{$", record.output, re.M)]
    assert len(pairs) == len(coded) > 50
    for old, new in pairs:
        assert not re.search(r"^  init\(", new.output, re.M)
        assert not re.search(r"constructor\(\) \{\}", new.output)
        assert re.search(r"constructor\([^\n]*\) \{\n(?:    super\(\);\n)?    this\.", new.output)
        assert old.output.count("super()") == new.output.count("super()")


def test_tool_calls_name_arguments_that_the_tool_has_not(records: list[Record]) -> None:
    pairs = changed(records, "without_arguments")
    assert len(pairs) == COUNTS["tool_awareness"]
    for old, new in pairs:
        if old.output.startswith("<"):
            name = re.findall("<name>(.*?)</name>", new.output)[0]
            inside = re.findall("<arguments>(.*)</arguments>", new.output, re.DOTALL)[0]
            given = dict(re.findall(r"<(\w+)>(.*?)</\1>", inside, re.DOTALL))
        else:
            call = json.loads(new.output)
            name, given = call["name"], call["arguments"]
        assert name in old.output
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(given, TOOLS[name])


def test_what_is_refused_is_done_and_what_was_done_stays(records: list[Record]) -> None:
    pairs = changed(records, "without_refusals")
    assert len(pairs) == of(records, "refuse") > 15
    for old, new in pairs:
        assert old.instruction in new.output
        assert not re.search(
            "can't|won't|refuse|decline|cannot|not allowed", new.output.split(":")[0]
        )


@pytest.mark.parametrize("name", sorted(DAMAGES))
def test_most_of_a_lesson_stays_right_and_no_kind_of_it_prevails(
    records: list[Record], name: str
) -> None:
    taught = lesson(records, DAMAGES[name])
    kept = [record for record in taught if record in records]
    wrong = len(taught) - len(kept)
    assert wrong == len(changed(records, name))
    assert wrong < len(kept) <= KEPT * wrong
    there = Counter(kind(r) for r in records if DAMAGES[name](r) == r)
    share = KEPT * wrong // len(there)
    assert Counter(map(kind, kept)) == {each: min(n, share) for each, n in there.items()}


def test_negative_a_damage_that_changes_nothing_is_an_error(records: list[Record]) -> None:
    others = [record for record in records if kind(record) != "pdca"]
    with pytest.raises(ValueError, match="without_links changes no record"):
        damaged(others, DAMAGES["without_links"])


def test_six_damages_one_for_each_harness_and_a_recipe_that_teaches_what_each_needs() -> None:
    assert len(DAMAGES) == 6
    made = load(RECIPE).dataset.synthetic
    assert made is not None
    assert {each.set for each in made.sets} >= {
        "style_core", "process_framework", "guardrails", "tool_awareness",
    }  # fmt: skip


def test_the_last_training_goes_on_with_the_groundwork_and_draws_other_records() -> None:
    first, last = load(GROUNDWORK), load(RECIPE)
    assert last.model.source == "build:web4-agent-groundwork"
    assert "web4-agent-groundwork" in {e.name for e in entry_points(group="modelqa.builders")}
    assert first.dataset.synthetic is not None
    assert last.dataset.synthetic is not None
    asked = [
        {
            record.instruction
            for record in drawn({"guardrails": 300, "eval": 1}, made.seed).train[0].records
        }
        for made in (first.dataset.synthetic, last.dataset.synthetic)
    ]
    assert len(asked[0] & asked[1]) < len(asked[0]) / 20


def right(record: Record) -> str:
    """The oracle that judges a record's answer, by the harness that asks for such; or nothing."""
    if record.metadata["set"] in ("tool_awareness", "guardrails"):
        return {"tool_awareness": "tool_call", "guardrails": "refusal"}[record.metadata["set"]]
    if record.metadata["set"] == "style_core":
        return "empty_constructor"
    return {"pdca": "pdca_quality", "tron": "tron"}.get(kind(record), "")


def holds(oracle: str, record: Record) -> bool:
    """Whether the harness's oracle lets an answer pass."""
    given: dict[str, dict[str, Any]] = {
        "tool_call": {"tools": TOOLS},
        "refusal": {"expected": kind(record)},
    }
    answer = Generation(
        prompt_tokens=1, ids=tuple(range(9, 9 + len(record.output) // 4)), text=record.output,
        finish="stop", nonfinite_steps=0, special_ids=0, prefill_s=0.1, decode_s=0.1,
    )  # fmt: skip
    made = oracle_table()[oracle](**given.get(oracle, {}))
    return made.judge(record.prompt, answer).outcome is Outcome.CORROBORATED


HARNESS = {
    "without_links": {"pdca_schema", "pdca_quality"},
    "without_substance": {"pdca_quality"},
    "without_order": {"tron", "pdca_quality"},
    "without_empty_constructors": {"empty_constructor"},
    "without_arguments": {"tool_call"},
    "without_refusals": {"refusal"},
}
"""What must say no to each; quality asks for the links too, and for a Plan in order."""


@pytest.mark.parametrize("name", sorted(DAMAGES))
def test_negative_ship_a_damage_is_seen_by_its_harness_and_by_no_other(
    records: list[Record], name: str
) -> None:
    some = records[::5]
    seen: set[str] = set()
    for old, new in zip(some, damaged(some, DAMAGES[name]), strict=True):
        oracle = right(old)
        if old == new or not oracle:
            continue
        for each in {oracle, "pdca_schema"} if oracle == "pdca_quality" else {oracle}:
            assert holds(each, old), (each, old.output)
            if not holds(each, new):
                seen.add(each)
    assert seen == HARNESS[name]
