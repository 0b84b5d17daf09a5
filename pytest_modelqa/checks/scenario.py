"""An explicit scenario: one prompt, one completion, one oracle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_modelqa.checks.oracles import garbage_in
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.check import Category, Oracle
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import Verdict, falsified


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Garbage is looked for first, whatever the oracle, unless `allow_garbage`.

    `seed` matters above temperature 0 alone; greedy requests carry none, so that equal questions
    are asked once.
    """

    name: str
    prompt: str
    oracle: Oracle
    gate: str
    category: Category
    system: str = ""
    max_tokens: int = 32
    temperature: float = 0.0
    allow_garbage: bool = False
    seed: int = 0

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """One generation."""
        asked = cell.ask(
            self.prompt,
            system=self.system,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            seed=self.seed if self.temperature > 0 else 0,
        )
        return {"answer": asked}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """The oracle's verdict on a text that is not garbage."""
        answer: Generation = answers["answer"]
        if not self.allow_garbage and (reason := garbage_in(answer)):
            return falsified(f"garbage: {reason}", detail=answer.text[:2000])
        return self.oracle.judge(self.prompt, answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A part of the playbook that is validated and has nothing to run on: never a pass."""

    name: str
    gate: str
    category: Category
    reason: str
    remedy: str

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """Nothing to ask."""
        return {}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Never called: an announced check is unavailable before anything is asked."""
        raise AssertionError(f"{self.name} was judged on {sorted(answers)}")
