"""A harness: many prompts, one validator, and what is demanded of their answers.

Before its result counts, the validator must tell its own good examples from its bad ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pytest_modelqa.checks.shipping.judging import Judged, judged, misjudged
from pytest_modelqa.checks.shipping.wording import failures_told, gauge_told
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.shipping import Confusion, Demand, Gauge, Paired
from pytest_modelqa.core.verdict import Outcome, Part, Verdict
from pytest_modelqa.playbook.shipping_values import Example, Prompt
from pytest_modelqa.stats import gates

_OURS, _THEIRS = "ship|", "baseline|"
"""Before a prompt's id, in the names of the requests."""

_WORST_FIRST = (
    Outcome.CRASHED,
    Outcome.TIMEOUT,
    Outcome.FALSIFIED,
    Outcome.UNAVAILABLE,
    Outcome.INCONCLUSIVE,
)
_OUTCOMES = {
    "cleared": Outcome.CORROBORATED,
    "blocked": Outcome.FALSIFIED,
    "inconclusive": Outcome.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """One ship gate. Asks `prompts` of the cell that ships, and of the `baseline` where given."""

    category: ClassVar[Category] = Category.REGR

    name: str
    gate: str
    cell: Cell
    demand: Demand
    prompts: tuple[Prompt, ...]
    examples: tuple[Example, ...]
    max_tokens: int
    stop: tuple[str, ...] = ()
    baseline: Cell | None = None

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """The prompts; none where the validator does not know its own examples."""
        if self.misjudged():
            return {}
        return {f"{_OURS}{prompt.id}": self._ask(cell, prompt) for prompt in self.prompts}

    def questions(self) -> Mapping[str, tuple[Cell, Request]]:
        """The prompts, of the cell and of the baseline."""
        asked = {name: (self.cell, request) for name, request in self.requests(self.cell).items()}
        if self.baseline is not None and asked:
            for prompt in self.prompts:
                request = self._ask(self.baseline, prompt)
                asked[f"{_THEIRS}{prompt.id}"] = self.baseline, request
        return asked

    def misjudged(self) -> list[str]:
        """What the validator says wrongly about the examples."""
        wrong = misjudged(self.examples)
        for passes, kind in ((True, "good"), (False, "bad")):
            if not any(example.passes is passes for example in self.examples):
                wrong.append(f"there is no {kind} example")
        return wrong

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Cleared, blocked or inconclusive; with answers missing never cleared."""
        if wrong := self.misjudged():
            return Verdict(
                outcome=Outcome.INCONCLUSIVE,
                reason=f"the harness itself is wrong: {wrong[0]}",
                detail="\n".join(wrong),
                remedy="repair the validator, its fields in the playbook, or its examples",
            )
        found = self._judged(_OURS, answers)
        parts = tuple(j.part(p.id, p.text) for p, j in zip(self.prompts, found, strict=True))
        missing = [j for j in found if j.missing]
        if len(missing) == len(found):
            return _lost(missing, f"no answer of {len(found)} came", parts, None)
        compared, paired = self._paired(found, answers)
        gauge = gates.measured(
            self.demand,
            passed=sum(j.passed for j in found),
            n=len(found),
            confusion=self._confusion(found) if self.demand.metric == "f1" else None,
            paired=paired,
        )
        told = f"{gauge_told(gauge)}{compared}"
        if missing:
            if gauge.state == "cleared":
                gauge = replace(gauge, state="inconclusive")
            reason = f"{len(missing)} of {len(found)} answers are missing, so it cannot clear"
            return _lost(missing, f"{reason}; {told}", parts, gauge)
        return Verdict(
            outcome=_OUTCOMES[gauge.state],
            reason=told,
            tested=len(found),
            detail=failures_told(parts),
            remedy=self._remedy(gauge),
            parts=parts,
            gauge=gauge,
        )

    def _ask(self, cell: Cell, prompt: Prompt) -> Request:
        return cell.ask(
            prompt.text, system=prompt.system, max_tokens=self.max_tokens, stop=self.stop
        )

    def _judged(self, start: str, answers: Mapping[str, Any]) -> list[Judged]:
        return [judged(p.oracle, p.text, answers.get(f"{start}{p.id}")) for p in self.prompts]

    def _confusion(self, found: Sequence[Judged]) -> Confusion:
        """An answer of neither class is the wrong one of the two."""
        hits = [
            (bool(getattr(p.oracle, "positive", False)), j.passed)
            for p, j in zip(self.prompts, found, strict=True)
        ]
        return Confusion(
            true_positive=hits.count((True, True)),
            false_negative=hits.count((True, False)),
            false_positive=hits.count((False, False)),
            true_negative=hits.count((False, True)),
        )

    def _paired(
        self, found: Sequence[Judged], answers: Mapping[str, Any]
    ) -> tuple[str, Paired | None]:
        """Against the baseline in words and numbers; none where an answer of either is missing."""
        if self.baseline is None:
            return "", None
        theirs, key = self._judged(_THEIRS, answers), self.baseline.artifact.key
        if lost := [j for j in (*theirs, *found) if j.missing]:
            why = f"{len(lost)} answers are missing ({lost[0].reason})"
            return f"; not compared with {key}: {why}", None
        confidence = self.demand.confidence or gates.CONFIDENCE
        paired = gates.paired(
            [j.passed for j in found], [j.passed for j in theirs], confidence=confidence
        )
        return (
            f"; against {key}: {paired.lost} lost, {paired.won} won, McNemar's p "
            f"{paired.p_value:.2g}, worse by at most {max(0.0, -paired.lower):.3f}"
        ), paired

    def _remedy(self, gauge: Gauge) -> str:
        if gauge.state != "inconclusive":
            return ""
        if gauge.needed is None:
            return "the rate lies on the threshold: no number of samples decides it"
        return f"samples: {gauge.needed}, with as many prompts"


def _lost(
    missing: Sequence[Judged], reason: str, parts: tuple[Part, ...], gauge: Gauge | None
) -> Verdict:
    """The worst of what happened to the answers that did not come."""
    worst = min(missing, key=lambda j: _WORST_FIRST.index(j.outcome))
    return Verdict(
        outcome=worst.outcome,
        reason=f"{reason}; the first: {worst.reason}",
        tested=len(parts) - len(missing),
        detail=failures_told(parts),
        remedy=worst.remedy,
        parts=parts,
        gauge=gauge,
    )
