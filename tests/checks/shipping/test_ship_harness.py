"""A harness counts what passed, and nothing that did not; and it checks itself first."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_modelqa.checks.oracles.contains import Contains
from pytest_modelqa.checks.oracles.length import Length
from pytest_modelqa.checks.shipping.wording import gauge_told
from pytest_modelqa.core.check import is_across
from pytest_modelqa.core.request import Generate
from pytest_modelqa.core.shipping import Confusion
from pytest_modelqa.core.verdict import Outcome, Verdict
from pytest_modelqa.core.wire import decode, encode
from pytest_modelqa.stats.gates import measured
from tests.checks.shipping.shipped import (
    ABSENT,
    CRASH,
    TIMEOUT,
    Raising,
    TwoClasses,
    cell,
    demand,
    example,
    harness,
    heard,
    of,
    said,
)

CLEARED, BLOCKED = Outcome.CORROBORATED, Outcome.FALSIFIED


@pytest.mark.parametrize(
    ("passed", "n", "threshold", "confidence", "outcome"),
    [
        (95, 100, 0.95, None, CLEARED),
        (94, 100, 0.95, None, BLOCKED),
        (19, 20, 0.95, None, CLEARED),
        (95, 100, 0.951, None, BLOCKED),
        (95, 100, 0.95, 0.95, Outcome.INCONCLUSIVE),
        (98, 100, 0.95, 0.95, Outcome.INCONCLUSIVE),
        (99, 100, 0.95, 0.95, CLEARED),
        (99, 100, 0.95, 0.99, Outcome.INCONCLUSIVE),
        (89, 100, 0.95, 0.95, BLOCKED),
        (20, 20, 0.95, 0.95, Outcome.INCONCLUSIVE),
        (0, 5, 0.0, None, CLEARED),
        (3, 3, 1.0, None, CLEARED),
    ],
)
def test_threshold_samples_and_confidence_decide_as_the_statistics_say(
    passed: int, n: int, threshold: float, confidence: float | None, outcome: Outcome
) -> None:
    verdict = harness(n, demand(threshold, confidence)).judge(of(passed, n))
    assert verdict.outcome is outcome, verdict.reason
    assert verdict.gauge is not None
    assert (verdict.gauge.passed, verdict.gauge.n, verdict.tested) == (passed, n, n)
    assert f"{passed} of {n} passed" in verdict.reason


def test_an_inconclusive_harness_names_the_samples_that_would_decide() -> None:
    verdict = harness(100, demand(0.95, 0.95)).judge(of(98, 100))
    assert verdict.gauge is not None
    assert verdict.gauge.needed is not None
    assert verdict.gauge.needed > 100
    assert f"samples: {verdict.gauge.needed}" in verdict.remedy
    assert f"about {verdict.gauge.needed} answers would decide" in verdict.reason
    on_it = harness(100, demand(0.95, 0.95)).judge(of(95, 100))
    assert "no number of samples" in on_it.remedy


@pytest.mark.parametrize(("passed", "shown"), [(57, "0.570"), (58, "0.580"), (949, "0.949")])
def test_shares_are_told_as_they_are(passed: int, shown: str) -> None:
    n = 100 if passed < 100 else 1000
    told = gauge_told(measured(demand(), passed=passed, n=n))
    assert f"passed: {shown} against 0.95, blocked" in told


def test_nothing_is_told_as_the_threshold_that_it_does_not_reach() -> None:
    found = Confusion(true_positive=96, false_negative=4, false_positive=0, true_negative=100)
    f1 = measured(demand(0.98, metric="f1"), passed=196, n=200, confusion=found)
    assert "F1 0.979 " in gauge_told(f1)
    bound = measured(demand(confidence=0.95), passed=58, n=58)
    assert "exact lower bound 0.949 at 95 %" in gauge_told(bound)


def test_the_parts_show_what_was_asked_and_answered() -> None:
    verdict = harness(2, demand(0.5)).judge(of(1, 2))
    first, second = verdict.parts
    assert (first.name, first.asked, first.answered) == ("p000", "Is it 0?", "yes")
    assert (first.outcome, second.outcome) == (CLEARED, BLOCKED)
    assert "p001" in verdict.detail
    assert decode(Verdict, encode(verdict)) == verdict


def test_long_texts_are_cut_in_the_parts_alone() -> None:
    long = "no " * 2000 + "yes"
    (part,) = harness(1, demand(1.0)).judge(heard("ship", said(long))).parts
    assert part.outcome is CLEARED
    assert len(part.answered) == 2000


def test_it_asks_its_cell_and_the_baseline_the_same() -> None:
    check = harness(2, baseline=cell("f16"))
    assert is_across(check)
    asked = check.questions()
    assert [(name, c.artifact.key) for name, (c, _) in asked.items()] == [
        ("ship|p000", "gguf-q4_k_m"),
        ("ship|p001", "gguf-q4_k_m"),
        ("baseline|p000", "gguf-f16"),
        ("baseline|p001", "gguf-f16"),
    ]
    assert asked["ship|p000"][1] == asked["baseline|p000"][1] == check.requests(cell())["ship|p000"]
    request = asked["ship|p000"][1]
    assert isinstance(request, Generate)
    assert (request.max_tokens, request.temperature) == (8, 0.0)


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [(CRASH, Outcome.CRASHED), (TIMEOUT, Outcome.TIMEOUT), (ABSENT, Outcome.UNAVAILABLE),
     (None, Outcome.INCONCLUSIVE)],
)  # fmt: skip
def test_ship_negative_one_missing_answer_of_many_never_clears(
    failure: Any, outcome: Outcome
) -> None:
    answers = heard("ship", *[said("yes")] * 99, failure)
    verdict = harness(100).judge(answers)
    assert verdict.outcome is outcome
    assert "1 of 100 answers are missing" in verdict.reason
    assert verdict.gauge is not None
    assert verdict.gauge.state != "cleared"
    assert verdict.gauge.passed == 99
    assert verdict.tested == 99


def test_ship_negative_no_answer_at_all_is_no_measurement() -> None:
    verdict = harness(2).judge(heard("ship", TIMEOUT, CRASH))
    assert verdict.outcome is Outcome.CRASHED
    assert verdict.gauge is None
    assert verdict.tested == 0
    assert harness(2).judge({}).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("finish", ["length", "context"])
def test_ship_negative_an_answer_that_was_cut_off_has_not_passed(finish: Any) -> None:
    verdict = harness(1).judge(heard("ship", said("yes", finish)))
    assert verdict.outcome is BLOCKED
    (part,) = verdict.parts
    assert part.outcome is BLOCKED
    assert "cut off after 1 tokens" in part.reason
    assert "counted as not passed" in part.reason


def test_ship_negative_what_a_validator_cannot_decide_has_not_passed() -> None:
    oracle = TwoClasses(expected="comply")
    check = harness(1, oracles=[oracle])
    verdict = check.judge(heard("ship", said("perhaps")))
    assert verdict.outcome is BLOCKED
    assert verdict.parts[0].outcome is Outcome.INCONCLUSIVE
    assert "counted as not passed" in verdict.parts[0].reason


@pytest.mark.parametrize(
    "answer", [said(""), said("  "), said("yes", nonfinite=1)], ids=["none", "blank", "nan"]
)
def test_ship_negative_no_text_and_nan_are_wrong_whatever_the_validator_says(answer: Any) -> None:
    lenient = Length(min=0)
    check = harness(
        1,
        oracles=[lenient],
        examples=[example("a", True, lenient), example("", False, lenient)],
    )
    assert check.judge(heard("ship", answer)).outcome is BLOCKED
    assert check.judge(heard("ship", said("x"))).outcome is CLEARED


def test_ship_negative_a_validator_that_raises_is_a_crash_and_no_pass() -> None:
    check = harness(2, oracles=[Raising()])
    verdict = check.judge(heard("ship", said("yes"), said("boom")))
    assert verdict.outcome is Outcome.CRASHED
    assert "the validator raising raised KeyError: 'section'" in verdict.reason
    assert check.judge(heard("ship", said("yes"), said("fine"))).outcome is CLEARED


def test_ship_negative_a_validator_that_always_says_yes_is_caught() -> None:
    lenient = Contains(expected=("yes", "no"), match="any")
    check = harness(2, oracles=[lenient])
    assert not check.requests(cell())
    assert not check.questions()
    verdict = check.judge(of(2, 2))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.gauge is None
    assert "the harness itself is wrong: examples.jsonl:1: the bad example 'no' passes" in (
        verdict.reason
    )
    assert harness(2).judge(of(2, 2)).outcome is CLEARED


def test_ship_negative_a_validator_that_never_says_yes_is_caught() -> None:
    check = harness(1, oracles=[Contains(expected="maybe")])
    assert "the good example 'yes' does not pass: lacks 'maybe'" in check.judge({}).reason


def test_ship_negative_a_validator_that_raises_on_its_examples_is_caught() -> None:
    check = harness(
        1,
        oracles=[Raising()],
        examples=[example("yes", True, Raising()), example("boom", False, Raising())],
    )
    assert "harness itself is wrong" in check.judge(of(1, 1)).reason


@pytest.mark.parametrize("passes", [True, False])
def test_ship_negative_examples_of_one_kind_prove_nothing(passes: bool) -> None:
    check = harness(1, examples=[example("yes" if passes else "no", passes)])
    verdict = check.judge(of(1, 1))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert f"there is no {'bad' if passes else 'good'} example" in verdict.reason


REFUSAL = [TwoClasses(expected="refuse"), TwoClasses(expected="comply")]
REFUSAL_EXAMPLES = [example("no", True, REFUSAL[0]), example("yes", False, REFUSAL[0])]


def refusals(*texts: str, threshold: float = 0.98) -> Verdict:
    """Even prompts must be refused, odd ones obeyed."""
    check = harness(
        len(texts), demand(threshold, metric="f1"), oracles=REFUSAL, examples=REFUSAL_EXAMPLES
    )
    return check.judge(heard("ship", *map(said, texts)))


def test_f1_counts_both_kinds_of_mistakes() -> None:
    verdict = refusals("no", "yes", "yes", "no", "no", "yes", threshold=0.6)
    assert verdict.gauge is not None
    assert verdict.gauge.confusion == Confusion(
        true_positive=2, false_negative=1, false_positive=1, true_negative=2
    )
    assert verdict.gauge.value == pytest.approx(2 / 3)
    assert verdict.outcome is CLEARED
    assert "F1 0.666 (precision 0.667, recall 0.667)" in verdict.reason
    assert refusals("no", "yes", "yes", "no", "no", "yes", threshold=0.7).outcome is BLOCKED


@pytest.mark.parametrize("texts", [("perhaps", "yes"), ("no", "perhaps")])
def test_ship_negative_an_answer_of_neither_class_counts_against_f1(texts: tuple[str, str]) -> None:
    verdict = refusals(*texts)
    assert verdict.outcome is BLOCKED
    assert refusals("no", "yes").outcome is CLEARED


@pytest.mark.parametrize("word", ["no", "yes"])
def test_ship_negative_always_refusing_and_always_obeying_do_not_clear(word: str) -> None:
    assert refusals(*[word] * 20).outcome is BLOCKED


def test_the_baselines_answers_are_compared_pairwise() -> None:
    check = harness(4, demand(0.5), baseline=cell("f16"))
    ours = heard("ship", said("yes"), said("yes"), said("no"), said("no"))
    theirs = heard("baseline", said("yes"), said("no"), said("yes"), said("no"))
    verdict = check.judge({**ours, **theirs})
    assert verdict.gauge is not None
    assert verdict.gauge.paired is not None
    pair = verdict.gauge.paired
    assert (pair.both, pair.lost, pair.won, pair.neither) == (1, 1, 1, 1)
    assert "against gguf-f16: 1 lost, 1 won" in verdict.reason


def test_a_baseline_that_gave_no_answer_is_not_compared() -> None:
    check = harness(2, demand(0.5), baseline=cell("f16"))
    verdict = check.judge({**of(2, 2), **heard("baseline", said("yes"), CRASH)})
    assert verdict.outcome is CLEARED
    assert verdict.gauge is not None
    assert verdict.gauge.paired is None
    assert "not compared with gguf-f16: 1 answers are missing" in verdict.reason
