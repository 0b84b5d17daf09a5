"""An engine of the tests: a function from prompt to text, asked until a check has no question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_modelqa.checks.families import Generated
from pytest_modelqa.core.model import ArtifactSpec, Cell
from pytest_modelqa.core.request import Generate, Request
from pytest_modelqa.core.verdict import Verdict
from tests.checks.oracles.completions import completion

CELL = Cell(
    artifact=ArtifactSpec(model="test/model", format="gguf", quantization="f32"),
    backend="cpu",
    modality="chat",
    engine="scripted",
)
Model = Callable[[str], Any]
"""From prompt to text, or to any answer."""


def prompt_of(request: Request) -> str:
    assert isinstance(request, Generate)
    return request.messages[-1].content


def answered(model: Model, request: Request) -> Any:
    said = model(prompt_of(request))
    return completion(said, tokens=max(1, len(said) // 4)) if isinstance(said, str) else said


def conversation(check: Generated, exact: Model, *, fast: Model | None = None) -> dict[str, Any]:
    """All answers, first those of the case's mode, then the exact ones."""
    first = exact if fast is None else fast
    answers = {n: answered(first, r) for n, r in check.requests(CELL).items()}
    for _ in range(100):
        more = check.follow_up(CELL, answers)
        if not more:
            return answers
        assert not answers.keys() & more.keys()
        answers |= {n: answered(exact, r) for n, r in more.items()}
    raise AssertionError("the check never stops asking")


def verdict(check: Generated, exact: Model, *, fast: Model | None = None) -> Verdict:
    return check.judge(conversation(check, exact, fast=fast))
