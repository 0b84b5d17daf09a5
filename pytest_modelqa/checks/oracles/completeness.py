"""Completeness: the model ended by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pytest_modelqa.checks.oracles.text import quoted, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified

_CUT = {"length": "cut off at max_tokens", "context": "cut off at the end of the context"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Generation ended with a stop token, and there is text before it."""

    name: ClassVar[str] = "completeness"

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: any prompt's answers may end."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Falsified where `max_tokens` or the context ended it."""
        if bad := unjudgeable(answer):
            return bad
        made = len(answer.ids)
        if answer.finish != "stop":
            tail = quoted(answer.text[-60:])
            return falsified(f"{_CUT[answer.finish]} after {made} tokens, ending in {tail}")
        return corroborated(f"ended by a stop token after {made} tokens", tested=max(made, 1))
