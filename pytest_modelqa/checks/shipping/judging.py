"""One answer, judged: it passes only if it came, came whole, and its oracle says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_modelqa.checks.oracles.text import quoted, unjudgeable
from pytest_modelqa.core.answer import Failure, Generation
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.verdict import (
    Outcome,
    Part,
    Verdict,
    falsified,
    inconclusive,
    verdict_of_failure,
)
from pytest_modelqa.playbook.shipping_values import Example

SHOWN_CHARS = 2000
"""Of a prompt and of an answer, in evidence and reports."""

_CUT = {"length": "by max_tokens", "context": "by the end of the context"}
_NOT_PASSED = "counted as not passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one question. `missing`: there is no verdict on an answer of the model."""

    outcome: Outcome
    reason: str
    answer: str
    missing: bool = False
    remedy: str = ""

    @property
    def passed(self) -> bool:
        """Nothing else is a pass."""
        return self.outcome is Outcome.CORROBORATED

    def part(self, name: str, asked: str) -> Part:
        """For the verdict of a harness."""
        return Part(
            name=name,
            outcome=self.outcome,
            reason=self.reason,
            asked=asked[:SHOWN_CHARS],
            answered=self.answer[:SHOWN_CHARS],
        )


def judged(oracle: Oracle, prompt: str, answer: Any) -> Judged:
    """The oracle's verdict. No answer, a cut one, or an undecided oracle is never a pass."""
    if not isinstance(answer, Generation):
        verdict = (
            verdict_of_failure(answer)
            if isinstance(answer, Failure)
            else inconclusive("no answer came")
        )
        return _as_judged(verdict, "", missing=True)
    if bad := unjudgeable(answer):
        return _as_judged(bad, answer.text)
    try:
        verdict = oracle.judge(prompt, answer)
    except Exception as error:  # noqa: BLE001 - validators may be code of others
        reason = f"the validator {oracle.name} raised {type(error).__name__}: {error}"
        crash = Verdict(outcome=Outcome.CRASHED, reason=reason)
        return _as_judged(crash, answer.text, missing=True)
    if answer.finish != "stop":
        reason = f"cut off after {len(answer.ids)} tokens {_CUT[answer.finish]}, {_NOT_PASSED}"
        return _as_judged(falsified(f"{reason}; {oracle.name}: {verdict.reason}"), answer.text)
    if verdict.outcome.undecided:
        reason = f"{verdict.reason} ({_NOT_PASSED})"
        verdict = Verdict(outcome=verdict.outcome, reason=reason, tested=verdict.tested)
    return _as_judged(verdict, answer.text)


def _as_judged(verdict: Verdict, text: str, *, missing: bool = False) -> Judged:
    return Judged(
        outcome=verdict.outcome,
        reason=verdict.reason,
        answer=text,
        missing=missing,
        remedy=verdict.remedy,
    )


def misjudged(examples: Sequence[Example]) -> list[str]:
    """In words, the examples that a validator judges wrongly: a bad one passes, or a good fails."""
    return [told for example in examples if (told := _misjudged(example))]


def _misjudged(example: Example) -> str:
    text = example.answer
    # As if the model had said it: whole, with numbers in order.
    answer = Generation(
        prompt_tokens=1,
        ids=(0,) * max(1, len(text.split())),
        text=text,
        finish="stop",
        nonfinite_steps=0,
        special_ids=0,
        prefill_s=0.0,
        decode_s=0.0,
    )
    found = judged(example.oracle, example.prompt, answer)
    if found.passed == example.passes and not found.missing:
        return ""
    kind = "good" if example.passes else "bad"
    did = "passes" if found.passed else "does not pass"
    return f"{example.place}: the {kind} example {quoted(text)} {did}: {found.reason}"
