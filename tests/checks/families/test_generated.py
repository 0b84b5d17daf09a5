"""The check of a family: what it asks again, what it shrinks to, and when it is no pass."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_modelqa.checks.families import FAMILIES, Generated, generated
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.check import is_adaptive
from pytest_modelqa.core.verdict import Outcome
from tests.checks.families.engine import CELL, conversation, verdict
from tests.checks.families.models import HEALTHY, arithmetic, edge, wrong_from
from tests.checks.oracles.completions import completion

COMMAND = "modelqa replay book.yaml cell::generated"


def family(name: str, *, count: int = 20, mode: str = "fast", seed: int = 2) -> Generated:
    block = {"families": (name,), "count": count, "max_tokens": 32, "mode": mode, "oracles": {}}
    (check,) = generated(block, seed=seed, n_ctx=512, replay=COMMAND)
    return check


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("mode", ["fast", "exact"])
def test_a_healthy_model_is_green_and_is_asked_nothing_twice(name: str, mode: str) -> None:
    check = family(name, mode=mode)
    assert is_adaptive(check)
    answers = conversation(check, HEALTHY[name])
    said = check.judge(answers)
    assert said.outcome is Outcome.CORROBORATED, said.reason
    assert "0 of 20 examples falsified (0%, 95 % interval 0% to 16%)" in said.reason
    assert (len(answers), said.tested, len(said.parts)) == (20, 20, 20)
    assert all(p.name.isascii() and p.name.isprintable() for p in said.parts)


@pytest.mark.parametrize("mode", ["fast", "exact"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_defect_is_shrunk_to_the_smallest_example_that_fails(mode: str, seed: int) -> None:
    check = family("arithmetic", mode=mode, seed=seed)
    answers = conversation(check, wrong_from(10))
    said = check.judge(answers)
    assert said.outcome is Outcome.FALSIFIED
    assert "smallest: 'What is 0 + 10?' -> '11': expected 10" in said.reason
    assert any(n.endswith("/exact") for n in answers) == (mode == "fast")
    assert said == check.judge(dict(reversed(answers.items())))


def test_the_remedy_replays_the_smallest_example() -> None:
    check = family("arithmetic")
    said = verdict(check, wrong_from(10))
    *command, option, params = shlex.split(said.remedy)
    assert (" ".join(command), option) == (COMMAND, "--example")
    scenario = check.scenario(params)
    assert scenario.prompt == "What is 0 + 10?"
    assert scenario.judge({"answer": completion("11")}).outcome is Outcome.FALSIFIED
    assert scenario.judge({"answer": completion("10")}).outcome is Outcome.CORROBORATED
    assert "\n" not in said.remedy


def test_a_fast_answer_that_exact_mode_does_not_confirm_is_green_and_counted() -> None:
    check = family("arithmetic")
    answers = conversation(check, arithmetic, fast=wrong_from(90))
    again = [n for n in answers if n.endswith("/exact")]
    said = check.judge(answers)
    assert again
    assert said.outcome is Outcome.CORROBORATED
    assert f"{len(again)} falsified fast answer" in said.reason
    assert "not confirmed in exact mode" in said.reason
    assert not any(n.startswith("shrink") for n in answers)


def test_a_falsified_fast_answer_without_an_exact_one_is_undecided() -> None:
    check = family("arithmetic")
    answers = conversation(check, wrong_from(90))
    alone = {n: a for n, a in answers.items() if "/" not in n}
    said = check.judge(alone)
    assert said.outcome is Outcome.INCONCLUSIVE
    assert "no exact answer came" not in check.judge(answers).reason


@pytest.mark.parametrize("budget", [0, 1, 5, 9])
def test_shrinking_stops_when_its_budget_is_spent(budget: int) -> None:
    check = replace(family("arithmetic"), shrink_budget=budget)
    answers = conversation(check, wrong_from(37))
    assert sum(n.startswith("shrink/") for n in answers) == budget
    said = check.judge(answers)
    assert said.outcome is Outcome.FALSIFIED
    assert "smallest: " in said.reason


FAILURES = [
    ("crashed", Outcome.CRASHED), ("timeout", Outcome.TIMEOUT), ("error", Outcome.CRASHED),
    ("unavailable", Outcome.UNAVAILABLE), ("refused", Outcome.FALSIFIED),
]  # fmt: skip


def once(answer: Any) -> Callable[[str], Any]:
    """A healthy model but for one prompt."""
    victim = list(family("arithmetic").prompts())[4]
    return lambda prompt: answer if prompt == victim else arithmetic(prompt)


@pytest.mark.parametrize(("cause", "outcome"), FAILURES)
@pytest.mark.parametrize("mode", ["fast", "exact"])
def test_one_failure_is_no_pass_and_blames_one_part(
    cause: Any, outcome: Outcome, mode: str
) -> None:
    failure = Failure(cause=cause, reason="the reason", remedy="the remedy")
    said = verdict(family("arithmetic", mode=mode), once(failure))
    assert said.outcome is outcome
    assert [p.outcome for p in said.parts].count(Outcome.CORROBORATED) == 19
    assert said.parts[4].outcome is outcome
    assert said.tested == 19 + (outcome is Outcome.FALSIFIED)
    assert "the reason" in said.reason
    assert COMMAND in said.remedy if outcome.failed else said.remedy == "the remedy"


def test_a_crash_is_worse_than_a_wrong_answer_which_is_worse_than_none() -> None:
    crash = once(Failure(cause="crashed", reason="gone"))
    missing = once(Failure(cause="unavailable", reason="does not fit"))
    wrong = wrong_from(10)
    check = family("arithmetic")

    def both(first: Callable[[str], Any]) -> Callable[[str], Any]:
        return lambda p: a if isinstance(a := first(p), Failure) else wrong(p)

    crashed = verdict(check, both(crash))
    assert crashed.outcome is Outcome.CRASHED
    assert "1 crashed; smallest: 'What is 0 + 10?'" in crashed.reason
    assert verdict(check, both(missing)).outcome is Outcome.FALSIFIED


def test_a_confirmation_that_crashes_is_a_crash() -> None:
    crash = Failure(cause="crashed", reason="gone")
    said = verdict(family("arithmetic"), lambda _: crash, fast=wrong_from(90))
    assert said.outcome is Outcome.CRASHED


def test_missing_answers_never_pass() -> None:
    check = family("arithmetic")
    answers = conversation(check, arithmetic)
    del answers["003"]
    assert check.judge(answers).outcome is Outcome.INCONCLUSIVE
    assert check.judge({}).outcome is Outcome.INCONCLUSIVE
    assert check.judge({}).tested == 0


@pytest.mark.parametrize(
    "garbage",
    ["", "the the " * 20, "\ufffd\ufffd\ufffd", "ab\x00\x01", completion("Hi.", nonfinite=1)],
)
def test_garbage_to_an_edge_prompt_is_falsified(garbage: Any) -> None:
    check = family("edge")
    victim = list(check.prompts())[5]
    said = verdict(check, lambda prompt: garbage if prompt == victim else edge(prompt))
    assert said.outcome is Outcome.FALSIFIED
    assert said.parts[5].outcome is Outcome.FALSIFIED
    assert said.reason.isprintable()
    assert len(said.reason) < 1000


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_that_ignores_the_question_is_falsified_in_every_family_but_edge(name: str) -> None:
    said = verdict(family(name), edge)
    assert said.outcome is (Outcome.CORROBORATED if name == "edge" else Outcome.FALSIFIED)


def test_all_rounds_ask_valid_requests_under_new_names() -> None:
    check = family("formatting", seed=5)
    answers = conversation(check, lambda p: p.upper())
    assert check.judge(answers).outcome is Outcome.FALSIFIED
    assert check.follow_up(CELL, answers) == {}
