"""The generated corpus: always the same, split cleanly, and the same to every reader."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from pytest_modelqa.core.request import Message
from pytest_modelqa.engines.template import render
from training.ci_light.corpus import FAMILIES, RULED, Fact, facts, invented_words
from training.ci_light.rendering import FORMS, rendered
from training.ci_light.tokenizer import CHAT_TEMPLATE, SPECIAL

DIGEST = (
    "import hashlib; from training.ci_light.corpus import facts, invented_words;"
    "print(hashlib.sha256(repr((facts(), invented_words())).encode()).hexdigest())"
)


def test_two_processes_with_other_hash_seeds_make_the_same_corpus() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_what_is_held_out_is_never_trained_on_in_any_form() -> None:
    trained = {rendered(f, form) for f in facts() if not f.held_out for form in FORMS}
    held = {rendered(f, form) for f in facts() if f.held_out for form in FORMS}
    assert not {s.prompt for s in trained} & {s.prompt for s in held}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_with_a_rule_hold_out_about_a_tenth_and_the_others_nothing(family: str) -> None:
    ours = [f for f in facts() if f.family == family]
    held = sum(f.held_out for f in ours)
    assert 0.05 < held / len(ours) < 0.2 if family in RULED else held == 0


def test_every_question_has_one_answer() -> None:
    questions = Counter(f.question for f in facts())
    openings = Counter(f.opening for f in facts())
    assert max(questions.values()) == max(openings.values()) == 1


def test_the_answers_of_rules_are_right() -> None:
    for fact in facts():
        numbers = [int(word.strip("?")) for word in fact.question.split() if word[0].isdigit()]
        if fact.family == "sum":
            assert int(fact.answer) == sum(numbers)
        if fact.family == "parity":
            assert fact.answer == ("no" if numbers[0] % 2 else "yes")
        if fact.family == "copy":
            assert fact.question == f"Repeat the words {fact.answer}."


def test_the_chat_form_is_what_the_chat_template_renders() -> None:
    fact = next(f for f in facts() if f.family == "capital")
    message = Message(role="user", content=fact.question)
    text = render(CHAT_TEMPLATE, [message], add_generation_prompt=True, tokens={})
    assert rendered(fact, "chat").prompt == text


def test_every_form_ends_with_the_answer_and_the_end_of_the_turn() -> None:
    fact = Fact(family="sum", question="What is 1 + 2?", opening="One and two is", answer="3")
    for form in FORMS:
        assert rendered(fact, form).completion.endswith(f" 3.{SPECIAL[2]}")


def test_invented_words_are_letters_only() -> None:
    assert all(word.isalpha() and word.isascii() for word in invented_words())
