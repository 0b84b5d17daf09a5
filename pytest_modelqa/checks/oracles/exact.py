"""Exact: the completion is the expected text and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pytest_modelqa.checks.oracles.text import quoted, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """The completion equals `expected`, after stripping white space at both ends (`strip`).

    Nothing else is normalised: a full stop counts. `ignore_case` compares casefolded.
    """

    name: ClassVar[str] = "exact"

    expected: str
    strip: bool = True
    ignore_case: bool = False

    def __post_init__(self) -> None:
        if not self.expected.strip():
            raise ValueError("expected: is empty, and an empty completion never passes")

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt's answers can be compared."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where both texts are equal."""
        if bad := unjudgeable(answer):
            return bad
        if self._normal(answer.text) != self._normal(self.expected):
            return falsified(f"expected {quoted(self.expected)}, got {quoted(answer.text)}")
        return corroborated(f"is {quoted(self.expected)}", tested=1)

    def _normal(self, text: str) -> str:
        text = text.strip() if self.strip else text
        return text.casefold() if self.ignore_case else text
