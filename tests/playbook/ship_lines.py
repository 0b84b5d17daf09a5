"""What playbooks with ship gates are made of in these tests: oracles, lines, ways to load."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.errors import PlaybookError
from pytest_modelqa.core.verdict import Verdict, corroborated
from pytest_modelqa.playbook.values import Playbook
from tests.playbook.stubs import STUBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Needy:
    """Requires a field that prompts may give, and knows two classes."""

    name: ClassVar[str] = "needy"
    wanted: str

    def __post_init__(self) -> None:
        if self.wanted == "bad":
            raise ValueError("wanted: bad is not allowed")

    @property
    def positive(self) -> bool:
        return self.wanted == "refuse"

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002
        return corroborated("stub", tested=1)


ORACLES: dict[str, type[Oracle]] = {**STUBS, "needy": Needy}
PROMPTS = [{"id": "a", "prompt": "What is 1?"}, {"id": "b", "prompt": "And 2?", "system": "s"}]
EXAMPLES = [
    {"answer": "1", "passes": True, "why": "right", "prompt": "1?"},
    {"answer": "x", "passes": False, "why": "none", "prompt": "1?"},
]
HARNESS: dict[str, Any] = {
    "kind": "ship", "threshold": 0.9, "prompts": "p.jsonl", "examples": "e.jsonl", "oracle": "sum",
}  # fmt: skip
TASK: dict[str, Any] = {"name": "one", "group": "g", "prompt": "1?", "oracle": "sum"}

Read = Callable[..., Playbook]


def mistakes(read: Read, *args: Any, **how: Any) -> list[str]:
    """What the loader says, without the folder."""
    with pytest.raises(PlaybookError) as caught:
        read(*args, **how)
    return [re.sub(r"(?<!\S)/\S*/", "", line) for line in str(caught.value).splitlines()]
