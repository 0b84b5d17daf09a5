"""Harnesses, canaries and answers of these tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pytest_modelqa.checks.oracles.contains import Contains
from pytest_modelqa.checks.shipping import Canary, Harness
from pytest_modelqa.core.answer import Failure, Finish, Generation
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.model import ArtifactSpec, Cell
from pytest_modelqa.core.shipping import Demand
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive
from pytest_modelqa.playbook.shipping_values import CanarySpec, Example, Prompt

YES = Contains(expected="yes")
CRASH = Failure(cause="crashed", reason="killed by SIGSEGV", remedy="look at the log")
TIMEOUT = Failure(cause="timeout", reason="no answer within 5 s")
ABSENT = Failure(cause="unavailable", reason="no such file", remedy="modelqa fetch")


def cell(quantization: str = "q4_k_m") -> Cell:
    """A cell for chat."""
    spec = ArtifactSpec(model="test/m", format="gguf", quantization=quantization, source="file:x")
    return Cell(artifact=spec, backend="cpu", modality="chat", engine="scripted")


def said(text: str, finish: Finish = "stop", nonfinite: int = 0) -> Generation:
    """A text as it comes back."""
    return Generation(
        prompt_tokens=3,
        ids=(1,) * max(1, len(text.split())),
        text=text,
        finish=finish,
        nonfinite_steps=nonfinite,
        special_ids=0,
        prefill_s=0.1,
        decode_s=0.1,
    )


def example(answer: str, passes: bool, oracle: Oracle = YES) -> Example:
    """A line of an examples' file."""
    return Example(
        answer=answer, passes=passes, why="w", prompt="", oracle=oracle, place="examples.jsonl:1"
    )


def demand(threshold: float = 0.95, confidence: float | None = None, **how: Any) -> Demand:
    """A ship gate on a rate."""
    usual: dict[str, Any] = {"kind": "ship", "metric": "rate"}
    return Demand(threshold=threshold, confidence=confidence, **{**usual, **how})


def harness(
    n: int,
    asked: Demand | None = None,
    *,
    oracles: Sequence[Oracle] = (YES,),
    examples: Sequence[Example] | None = None,
    baseline: Cell | None = None,
) -> Harness:
    """A harness of n prompts p000, p001 ...; the oracles take turns."""
    own = (example("yes", True, oracles[0]), example("no", False, oracles[0]))
    return Harness(
        name="ship-agrees",
        gate="F-SHIP-AGREES",
        cell=cell(),
        demand=asked or demand(),
        prompts=tuple(
            Prompt(id=f"p{i:03}", text=f"Is it {i}?", oracle=oracles[i % len(oracles)])
            for i in range(n)
        ),
        examples=tuple(own if examples is None else examples),
        max_tokens=8,
        baseline=baseline,
    )


def heard(start: str, *answers: Any) -> dict[str, Any]:
    """Answers under the names of a harness's requests; None: it never came."""
    return {f"{start}|p{i:03}": a for i, a in enumerate(answers) if a is not None}


def of(passed: int, n: int) -> dict[str, Any]:
    """So many right answers, the others wrong."""
    return heard("ship", *(said("yes" if i < passed else "no") for i in range(n)))


def canary(*stages: str, baseline: str = "") -> Canary:
    """A canary of these quantizations."""
    spec = CanarySpec(
        name="capital", group="facts", prompt="Paris?", oracle=YES, system="", max_tokens=8
    )
    return Canary(
        spec=spec,
        stages=tuple(cell(stage) for stage in stages),
        baseline=cell(baseline) if baseline else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoClasses:
    """An answer refuses where it says no, complies where it says yes, else does neither."""

    name: ClassVar[str] = "two_classes"
    expected: Literal["refuse", "comply"]

    @property
    def positive(self) -> bool:
        return self.expected == "refuse"

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002
        found = {"no": "refuse", "yes": "comply"}.get(answer.text)
        if found is None:
            return inconclusive("neither", tested=1)
        if found == self.expected:
            return corroborated(found, tested=1)
        return falsified(f"{found}, expected {self.expected}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Raising:
    """A validator with a defect."""

    name: ClassVar[str] = "raising"

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002
        if answer.text == "boom":
            raise KeyError("section")
        if answer.text == "no":
            return falsified("no")
        return corroborated("fine", tested=1)
