"""Several checks as one claim: it stands where all of them do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.check import Category, Check, is_adaptive
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import (
    Outcome,
    Verdict,
    corroborated,
    inconclusive,
    verdict_of_failure,
)

_BETWEEN = "|"
"""Between the name of a part and the name of its request."""

Answers = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """The parts `of` a claim: what they ask is answered once, whoever else asked it."""

    name: str
    gate: str
    category: Category
    of: tuple[Check, ...]

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """Everything that the parts ask."""
        return {
            f"{part.name}{_BETWEEN}{name}": request
            for part in self.of
            for name, request in part.requests(cell).items()
        }

    def follow_up(self, cell: Cell, answers: Answers) -> Mapping[str, Request]:
        """Everything that the parts ask again."""
        return {
            f"{part.name}{_BETWEEN}{name}": request
            for part in self.of
            if is_adaptive(part)
            for name, request in part.follow_up(cell, answers_of(part, answers)).items()
        }

    def judge(self, answers: Answers) -> Verdict:
        """All of the parts, as one verdict."""
        return joined(self.verdicts(answers))

    def verdicts(self, answers: Answers) -> dict[str, Verdict]:
        """What each part concludes, by its name."""
        return {part.name: _judged(part, answers_of(part, answers)) for part in self.of}


def answers_of(part: Check, answers: Answers) -> dict[str, Any]:
    """A part's own answers, under the names that it gave them."""
    start = f"{part.name}{_BETWEEN}"
    return {n.removeprefix(start): a for n, a in answers.items() if n.startswith(start)}


def joined(verdicts: Mapping[str, Verdict]) -> Verdict:
    """The first part that failed, falsified before crashed; else what is undecided; else all.

    Nothing tested is never a pass.
    """
    for outcome in (Outcome.FALSIFIED, Outcome.CRASHED, Outcome.TIMEOUT):
        for name, verdict in verdicts.items():
            if verdict.outcome is outcome:
                return replace(verdict, reason=f"{name}: {verdict.reason}")
    undecided = {n: v for n, v in verdicts.items() if v.outcome is not Outcome.CORROBORATED}
    tested = sum(v.tested for v in verdicts.values())
    if undecided or not tested:
        told = "; ".join(f"{name}: {v.reason}" for name, v in undecided.items())
        remedy = next((v.remedy for v in undecided.values() if v.remedy), "")
        return inconclusive(told or "nothing was tested", tested=tested, remedy=remedy)
    return corroborated(f"{', '.join(verdicts)} agree", tested=tested)


def _judged(part: Check, answers: Answers) -> Verdict:
    failures = [a for a in answers.values() if isinstance(a, Failure)]
    if failures and not is_adaptive(part):
        return verdict_of_failure(failures[0])
    return part.judge(answers)
