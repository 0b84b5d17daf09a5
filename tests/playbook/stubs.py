"""Stub oracles, and the smallest playbook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, MinLen

from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.verdict import Verdict, corroborated


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Wants a digit in the prompt."""

    name: ClassVar[str] = "sum"
    expected: int | str | None = None

    def problem_with(self, prompt: str) -> str | None:
        return None if any(c.isdigit() for c in prompt) else "no digit in the prompt"

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002
        return corroborated("stub", tested=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Refuses a pattern that does not compile."""

    name: ClassVar[str] = "pattern"
    pattern: str
    texts: Annotated[tuple[str, ...], MinLen(1)] = ("a",)
    at_least: Annotated[int, Ge(1)] = 1
    kind: Literal["full", "part"] = "part"
    schema: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern: {error}") from None

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002
        return corroborated("stub", tested=1)


STUBS: dict[str, type[Oracle]] = {"sum": Sum, "pattern": Pattern}

FILES = {
    "prompts.jsonl": '{"id": "a", "prompt": "What is 1?"}\n{"id": "b", "prompt": "And 2?"}\n',
    "examples.jsonl": (
        '{"answer": "1", "passes": true, "why": "right", "prompt": "What is 1?"}\n'
        '{"answer": "x", "passes": false, "why": "no number", "prompt": "What is 1?"}\n'
    ),
    "canaries.yaml": "tasks: [{name: a, group: b, prompt: '1', oracle: sum}]\n",
}
"""Beside every playbook of these tests."""

MINIMAL = """\
version: "1.0"
model: {id: org/name}
test_matrix: {modalities: [run], backends: [cpu], formats: [gguf]}
"""
