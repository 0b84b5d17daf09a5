"""The check of one family: ask all examples, confirm what is falsified, shrink it.

    000, 001 ...       the examples, in the case's mode
    000/exact ...      in fast mode: falsified ones again, one at a time
    shrink/R/I         what the shrinker wants to know, round by round, one at a time

`judge` and `follow_up` derive everything from the answers so far: the check has no state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

from pytest_modelqa.checks.families.drawn import FAMILIES, drawn, family_of, questions
from pytest_modelqa.checks.families.family import Example, Family, params_of, unfit
from pytest_modelqa.checks.families.wording import Judged, conclusion
from pytest_modelqa.checks.oracles.text import quoted
from pytest_modelqa.checks.scenario import Scenario
from pytest_modelqa.core.answer import Failure, Generation
from pytest_modelqa.core.check import Category, Oracle
from pytest_modelqa.core.ids import canonical
from pytest_modelqa.core.model import Cell, Mode
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import (
    Outcome,
    Verdict,
    corroborated,
    inconclusive,
    verdict_of_failure,
)

PER_ROUND = 4
"""Prompts asked per round of shrinking. Measured on a planted defect, sums wrong from 37 on, with
32 answers: rounds of 8 got down to 50 and 42, rounds of 4 to 38, rounds of 2 to 37 in twice the
rounds."""
SHRINK_BUDGET = 32
"""Engine answers spent on shrinking one family."""
_TEMPLATE_TOKENS = 64
"""Left free in the context for the chat template around the longest prompt."""


class Shrinking(NamedTuple):
    """The smallest example known to fail, and the questions of the next round."""

    smallest: Judged | None
    wanted: Mapping[str, Example]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """`count` examples of a family, drawn from `seed`. `oracle` replaces the usual ones.

    `replay` is the command that `--example JSON` is put behind. `n_ctx` bounds the longest prompts.
    """

    name: str
    family: str
    gate: str
    category: Category
    seed: int
    count: int
    max_tokens: int = 32
    n_ctx: int = 4096
    oracle: Oracle | None = None
    mode: Mode = "fast"
    shrink_budget: int = SHRINK_BUDGET
    replay: str = "modelqa replay"

    @classmethod
    def of_example(cls, params_json: str, *, max_tokens: int, n_ctx: int) -> Generated:
        """A check of the family that the example names. Raises UsageError where it names none."""
        name = params_of(params_json).get("family")
        if not isinstance(name, str) or name not in FAMILIES:
            raise unfit(f"family is {name!r}, expected one of {', '.join(FAMILIES)}")
        return cls(
            name=f"generated-{name}",
            family=name,
            gate=f"F-GENERATED-{name.upper()}",
            category=family_of(name, 1).category,
            seed=0,
            count=1,
            max_tokens=max_tokens,
            n_ctx=n_ctx,
        )

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """One generation per example."""
        return {name: self._request(cell, e) for name, e in self._examples().items()}

    def follow_up(self, cell: Cell, answers: Mapping[str, Any]) -> Mapping[str, Request]:
        """Falsified examples in exact mode, then a round of shrinking; empty when done."""
        wanted = {n: e for n, e in self._confirming(answers).items() if n not in answers}
        if not wanted:
            wanted = dict(self._shrinking(answers).wanted)
        return {name: self._request(cell, example) for name, example in wanted.items()}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """The worst of its parts; falsified with the smallest example that fails."""
        judged = [self._concluded(n, e, answers) for n, e in self._examples().items()]
        outcomes = {j.name: j.verdict.outcome for j in judged}
        again = [n.removesuffix("/exact") for n in self._confirming(answers) if n in answers]
        return conclusion(
            judged,
            unconfirmed=sum(outcomes[name] is Outcome.CORROBORATED for name in again),
            smallest=self._shrinking(answers).smallest,
            command=self.replay,
        )

    def scenario(self, params_json: str) -> Scenario:
        """One example as a scenario of its own. Raises UsageError where the JSON does not fit."""
        params = self._family.parsed(params_json)
        return self._scenario(Example(text=canonical(params), choices=()))

    def prompts(self) -> Iterator[str]:
        """The prompts, in order."""
        return map(self._prompt, self._examples().values())

    @property
    def _room(self) -> int:
        """Tokens that the longest prompt may take, one word a token; the rest is the reserve."""
        return max(1, (self.n_ctx - self.max_tokens) * 7 // 8 - _TEMPLATE_TOKENS)

    @property
    def _family(self) -> Family:
        return family_of(self.family, self._room)

    def _examples(self) -> Mapping[str, Example]:
        examples = drawn(self.family, self.seed, self.count, self._room)
        return {f"{i:03}": example for i, example in enumerate(examples)}

    def _scenario(self, example: Example) -> Scenario:
        prompt, oracle = self._family.question(example.params)
        return Scenario(
            name=self.name,
            prompt=prompt,
            oracle=self.oracle or oracle,
            gate=self.gate,
            category=self.category,
            max_tokens=self.max_tokens,
        )

    def _prompt(self, example: Example) -> str:
        return self._family.question(example.params).prompt

    def _request(self, cell: Cell, example: Example) -> Request:
        return self._scenario(example).requests(cell)["answer"]

    def _judged(self, example: Example, answer: Any) -> Verdict:
        if isinstance(answer, Failure):
            return verdict_of_failure(answer)
        return self._scenario(example).judge({"answer": answer})

    def _falsified(self, example: Example, answer: Any) -> bool:
        """Whether there is an answer, and it is wrong: what can be confirmed and shrunk."""
        if answer is None or isinstance(answer, Failure):
            return False
        return self._judged(example, answer).outcome is Outcome.FALSIFIED

    def _confirming(self, answers: Mapping[str, Any]) -> Mapping[str, Example]:
        """What must be asked again in exact mode."""
        if self.mode == "exact":
            return {}
        examples = self._examples().items()
        return {f"{n}/exact": e for n, e in examples if self._falsified(e, answers.get(n))}

    def _concluded(self, name: str, example: Example, answers: Mapping[str, Any]) -> Judged:
        """One example with its verdict. Without an answer nothing is decided."""
        first = self._one(name, example, answers.get(name))
        if self.mode == "exact" or not self._falsified(example, answers.get(name)):
            return first
        exact = self._one(name, example, answers.get(f"{name}/exact"))
        if exact.verdict.outcome is not Outcome.CORROBORATED:
            return exact
        verdict = corroborated(
            f"{exact.verdict.reason} (in fast mode {quoted(str(first.text))})",
            tested=exact.verdict.tested,
        )
        return exact._replace(verdict=verdict)

    def _one(self, name: str, example: Example, answer: Any) -> Judged:
        if answer is None:
            verdict = inconclusive("no answer came")
        else:
            verdict = self._judged(example, answer)
        text = answer.text if isinstance(answer, Generation) else None
        return Judged(name, example.text, self._prompt(example), text, verdict)

    def _exact(self, answers: Mapping[str, Any]) -> Mapping[str, Example]:
        """The examples with an exact answer, by the name of that answer."""
        asked = self._examples() if self.mode == "exact" else self._confirming(answers)
        return {name: example for name, example in asked.items() if name in answers}

    def _shrinking(self, answers: Mapping[str, Any]) -> Shrinking:
        """Shrink the simplest falsified example as far as the answers go."""
        asked = dict(self._exact(answers))
        failing = [e for n, e in asked.items() if self._falsified(e, answers[n])]
        if not failing:
            return Shrinking(None, {})
        start = min(failing, key=_size)
        lacking: dict[str, Example] = {}
        for turn in count():
            wanted = self._round(turn, start, asked, answers)
            lacking = {n: e for n, e in wanted.items() if n not in answers}
            if lacking or not wanted:
                break
            asked |= wanted
        name = min(
            (n for n, e in asked.items() if self._falsified(e, answers[n])),
            key=lambda n: _size(asked[n]),
        )
        return Shrinking(self._one("smallest", asked[name], answers[name]), lacking)

    def _round(
        self, turn: int, start: Example, asked: Mapping[str, Example], answers: Mapping[str, Any]
    ) -> Mapping[str, Example]:
        """The questions of one round of shrinking; none when it is done or the budget spent."""
        left = self.shrink_budget - sum(name.startswith("shrink/") for name in asked)
        if left < 1:
            return {}
        known = frozenset(
            (self._prompt(e), self._falsified(e, answers[n])) for n, e in asked.items()
        )
        found = questions(self.family, self._room, start, known, min(PER_ROUND, left))
        return {f"shrink/{turn}/{i}": example for i, example in enumerate(found)}


def _size(example: Example) -> tuple[int, tuple[int, ...]]:
    """The order of simplicity, Hypothesis' own: fewer choices, then smaller ones."""
    return len(example.choices), example.choices
