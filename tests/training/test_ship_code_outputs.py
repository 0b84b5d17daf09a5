"""Each damage to classes, calls and refusals is seen by the one validator that it is meant for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from pytest_modelqa.checks.oracles.empty_constructor import EmptyConstructor
from pytest_modelqa.checks.oracles.refusal import Refusal
from pytest_modelqa.checks.oracles.tool_call import ToolCall
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion
from training.records import Record
from training.synth.sides import generate
from training.synth.tools import TOOLS
from training.web4_agent.damage import DAMAGES

CALLS = ToolCall(tools=TOOLS)


def of_class(record: Record) -> Oracle | None:
    return EmptyConstructor() if "class " in record.output else None


def of_call(record: Record) -> Oracle | None:
    return CALLS if record.metadata["set"] == "tool_awareness" else None


def of_request(record: Record) -> Oracle | None:
    refuses = str(record.metadata["template"]).startswith("refuse-")
    return Refusal(expected="refuse") if refuses else None


MEANT: dict[str, Callable[[Record], Oracle | None]] = {
    "without_empty_constructors": of_class,
    "without_arguments": of_call,
    "without_refusals": of_request,
}


@cache
def records() -> tuple[Record, ...]:
    return tuple(record for file in generate(2500, 21).files for record in file.records)


def judged(damage: str, *, planted: bool) -> Iterator[tuple[Record, Outcome]]:
    """The records that a damage concerns, as they are or damaged, and the validator's outcome."""
    for record in records():
        oracle, damaged = MEANT[damage](record), DAMAGES[damage](record)
        if oracle is not None and damaged != record:
            shown = damaged if planted else record
            yield shown, oracle.judge(shown.prompt, completion(shown.output)).outcome


@pytest.mark.parametrize("damage", MEANT)
def test_ship_negative_every_damaged_record_is_rejected(damage: str) -> None:
    found = list(judged(damage, planted=True))
    assert len(found) > 30
    assert [record.output for record, o in found if o is not Outcome.FALSIFIED] == []


@pytest.mark.parametrize("damage", MEANT)
def test_ship_negative_the_same_records_pass_before_they_are_damaged(damage: str) -> None:
    found = list(judged(damage, planted=False))
    assert len(found) > 30
    assert [record.output for record, o in found if o is not Outcome.CORROBORATED] == []


@pytest.mark.parametrize("damage", sorted(set(DAMAGES) - set(MEANT)))
def test_damages_of_documents_touch_no_class_call_or_refusal(damage: str) -> None:
    changed = [record for record in records() if DAMAGES[damage](record) != record]
    assert changed
    assert {record.metadata["set"] for record in changed} == {"process_framework"}
