"""Greedy parity: from the same ids, both models choose the same next ids, or all but tie.

At the first step where they part, the reference chose u and the candidate v. It is a near-tie, and
no defect, where the reference's margin z(u) - z(v) and the move of that gap between both models
are within the tolerance of the quantisation; else the candidate flipped a choice. Near-ties are
counted, quoted and capped, or a broken model could hide behind them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, MinLen

from pytest_modelqa.checks.oracles.text import quoted
from pytest_modelqa.checks.parity.budget import Budget, budget_for, require_budget, unfit_for
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.comparison.greedy import CompareGreedy, GreedyCompared, Parting
from pytest_modelqa.core.model import Artifact, Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import (
    Outcome,
    Verdict,
    falsified,
    inconclusive,
    verdict_of_failure,
)
from pytest_modelqa.stats import clopper_pearson_lower, clopper_pearson_upper

GATE = "F-PARITY-GREEDY"


@dataclass(frozen=True, slots=True, kw_only=True)
class GreedyParity:
    """`steps` greedy ids of each prompt. `tolerance` in logits.

    `max_near_ties` is a share of the compared steps, not of the prompts: that would grow with
    `steps` until every quantisation fails.
    """

    name: ClassVar[str] = "greedy-parity"
    gate: ClassVar[str] = GATE
    category: ClassVar[Category] = Category.COMP

    prompts: Annotated[tuple[str, ...], MinLen(1)]
    steps: Annotated[int, Ge(1)] = 24
    tolerance: Annotated[float, Gt(0)] | None = None
    max_near_ties: Annotated[float, Ge(0), Le(1)] = 0.2
    budget: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        require_budget(self.budget)

    def unfit_for(self, reference: Artifact) -> str:
        """Why the budget is not of this reference."""
        return unfit_for(self.budget, reference)

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """Every prompt, as the modality puts it, under `greedy N@QUANTIZATION`."""
        at, chat = cell.artifact.quantization, cell.modality == "chat"
        return {
            f"greedy {number}@{at}": CompareGreedy(text=text, chat=chat, steps=self.steps)
            for number, text in enumerate(self.prompts)
        }

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by a flip, by NaN, or by too many near-ties."""
        if failures := [a for a in answers.values() if isinstance(a, Failure)]:
            return verdict_of_failure(failures[0])
        seen = dict(zip(self.prompts, answers.values(), strict=False))
        if not seen or len(answers) != len(self.prompts):
            return falsified(f"{len(answers)} answers for {len(self.prompts)} prompts")
        steps = sum(a.equal_steps + (a.parting is not None) for a in seen.values())
        if problems := [f"{quoted(p)}: {x}" for p, a in seen.items() for x in _problems(a)]:
            return falsified(problems[0], tested=max(1, steps), detail="\n".join(problems))
        if not steps:
            return falsified("no step was compared")
        return self._judged(seen, steps, budget_for(_quantization(answers), self.budget))

    def _judged(self, seen: Mapping[str, GreedyCompared], steps: int, budget: Budget) -> Verdict:
        parted = {p: a.parting for p, a in seen.items() if a.parting is not None}
        if not parted:
            reason = f"{len(seen)} of {len(seen)} texts are equal over {steps} steps"
            return Verdict(outcome=Outcome.CORROBORATED, reason=reason, tested=steps)
        tolerance = self.tolerance or budget.limits.tolerance
        if tolerance is None:
            return inconclusive(
                f"{len(parted)} of {len(seen)} texts part, first {_first(parted)}; "
                f"nothing says what a near-tie is: {budget.source} is not known",
                tested=steps,
                remedy="give parity.tolerance, or a budget file: modelqa calibrate PLAYBOOK",
            )
        source = "the playbook's tolerance" if self.tolerance else budget.source
        flips = {p: x for p, x in parted.items() if not near_tie(x, tolerance)}
        if flips:
            return falsified(
                f"{len(flips)} of {len(seen)} texts are flipped beyond a near-tie of {tolerance:g} "
                f"({source}), first {_first(flips)}",
                tested=steps,
                detail=_told(seen),
            )
        return self._capped(seen, parted, steps, f"tolerance {tolerance:g}, {source}")

    def _capped(
        self,
        seen: Mapping[str, GreedyCompared],
        parted: Mapping[str, Parting],
        steps: int,
        source: str,
    ) -> Verdict:
        """Near-ties alone: few enough of all steps, surely too many, or not to be told yet."""
        ties = len(parted)
        reason = (
            f"{len(seen) - ties} of {len(seen)} texts are equal over {steps} steps, {ties} part at "
            f"a near-tie ({source}), {ties / steps:.1%} of steps, allowed {self.max_near_ties:.1%};"
            f" first {_first(parted)}"
        )
        if clopper_pearson_lower(ties, steps) > self.max_near_ties:
            return falsified(reason, tested=steps, detail=_told(seen))
        within = clopper_pearson_upper(ties, steps) <= self.max_near_ties
        return Verdict(
            outcome=Outcome.CORROBORATED if within else Outcome.INCONCLUSIVE,
            reason=reason,
            tested=steps,
            detail=_told(seen),
            remedy="" if within else "more parity.prompts: so few steps do not decide",
        )


def near_tie(parting: Parting, tolerance: float) -> bool:
    """Both the reference's margin and the move of the gap are within `tolerance` logits.

    Not where a number is NaN or infinite: a candidate that lacks the id has not tied.
    """
    moved = abs(parting.delta_u - parting.delta_v)
    sound = math.isfinite(moved) and math.isfinite(parting.reference_margin)
    return sound and parting.reference_margin <= tolerance and moved <= tolerance


def _quantization(answers: Mapping[str, Any]) -> str:
    return next(iter(answers)).rpartition("@")[2]


def _problems(seen: GreedyCompared) -> Iterator[str]:
    """What no tolerance can allow."""
    if seen.unknown:
        yield f"id {seen.unknown[0]} of the prompt is outside a vocabulary"
    for side in ("candidate", "reference"):
        step = getattr(seen, side).nonfinite_step
        if step >= 0:
            yield f"NaN or Inf in the {side}'s logits at step {step}"


def _first(parted: Mapping[str, Parting]) -> str:
    """The earliest parting, with both choices and margins."""
    prompt, at = min(parted.items(), key=lambda item: item[1].step)
    return (
        f"{quoted(prompt)} at step {at.step}: {at.reference_piece!r} became "
        f"{at.candidate_piece!r} (reference margin {at.reference_margin:.3g}, candidate "
        f"{at.candidate_margin:.3g})"
    )


def _told(seen: Mapping[str, GreedyCompared]) -> str:
    """The texts that part, to be read one under the other."""
    return "\n\n".join(
        f"{quoted(prompt)}, equal for {a.equal_steps} steps\n"
        f"  reference: {a.reference.text!r}\n"
        f"  candidate: {a.candidate.text!r}"
        for prompt, a in seen.items()
        if a.parting is not None
    )
