"""Are batched answers those of the model? A sample is repeated exactly, and differences explained.

Batching moves logits by rounding: where two ids are nearly as likely, another one may win, and from
there on the texts differ. That is a near-tie. Anything more is a defect: sequences that see each
other's cache, positions that are off by one, answers that were swapped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_modelqa.core.answer import Generation, Retraced, TracedStep
from pytest_modelqa.core.check import Category, Check
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Generate, Request, Retrace
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

GATE = "F-BATCHING"

ALLOWED = 4.0
"""How many times the engine's own noise a logit may move in a batch.

The noise is the largest difference between decoding a text id by id and scoring it in one pass,
over every kept logit of the sample. docs/batching.md has what sound and planted batches show.
"""

_LEAST_STEPS = 16
"""Fewer compared steps say nothing about noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """Compares `sample` of what the batched checks `of` a cell ask, evenly over the batch.

    Later ones take the places of those that ended. Greedy requests alone can be compared.
    """

    name: ClassVar[str] = "batching"
    gate: ClassVar[str] = GATE
    category: ClassVar[Category] = Category.STAB

    of: tuple[Check, ...]
    sample: int = 8

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """The whole batch: a sample alone would be another batch."""
        asked = (r for check in self.of for r in check.requests(cell).values())
        greedy = (r for r in asked if isinstance(r, Generate) and r.temperature == 0)
        return {f"{i:05}": request for i, request in enumerate(dict.fromkeys(greedy))}

    def follow_up(self, cell: Cell, answers: Mapping[str, Any]) -> Mapping[str, Request]:
        """The sample again, one at a time, with the likeliest ids of each step."""
        if any(name.endswith(_AGAIN) for name in answers):
            return {}
        able = [
            (name, request)
            for name, request in self.requests(cell).items()
            if isinstance(request, Generate) and isinstance(answers[name], Generation)
        ]
        count = min(self.sample, len(able))
        chosen = (able[round(k * (len(able) - 1) / max(1, count - 1))] for k in range(count))
        return {f"{name}{_AGAIN}": Retrace(generation=request) for name, request in chosen}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Every difference of the sample is a near-tie, and no logit moved further than noise."""
        pairs = [
            _Pair(name.removesuffix(_AGAIN), answers[name.removesuffix(_AGAIN)], again)
            for name, again in answers.items()
            if name.endswith(_AGAIN) and isinstance(again, Retraced)
        ]
        steps = sum(len(pair.exact.steps) for pair in pairs)
        if steps < _LEAST_STEPS:
            return inconclusive(
                f"{steps} steps could be compared, {_LEAST_STEPS} are needed",
                tested=len(pairs),
                remedy="ask for more, or longer, greedy answers in mode fast",
            )
        noise = max(pair.noise for pair in pairs)
        moved = f"moved by up to {max(pair.moved for pair in pairs):.2g}, noise {noise:.2g}"
        flaws = [flaw for pair in pairs for flaw in pair.flaws(ALLOWED * noise)]
        if flaws:
            return falsified(
                f"{len({name for name, _ in flaws})} of {len(pairs)} sampled answers are not those "
                f"of the model: {flaws[0][1]} (logits {moved})",
                tested=len(pairs),
                detail="\n".join(f"{name}: {text}" for name, text in flaws),
                remedy="`mode: exact` until the engine's batches are repaired",
            )
        ties = sum(pair.diverges is not None for pair in pairs)
        asked = sum(not name.endswith(_AGAIN) for name in answers)
        return corroborated(
            f"{len(pairs)} of {asked} batched answers repeated exactly over {steps} "
            f"steps: {len(pairs) - ties} equal, {ties} differ by near-ties (logits {moved})",
            tested=len(pairs),
        )


_AGAIN = "/exact"


@dataclass(frozen=True, slots=True)
class _Pair:
    """An answer of a batch beside its exact repetition."""

    name: str
    batched: Generation
    exact: Retraced

    @property
    def noise(self) -> float:
        """The largest |decoded - rescored| of the exact side."""
        return max(
            (
                abs(a - b)
                for s in self.exact.steps
                for a, b in zip(s.logits, s.rescored, strict=True)
            ),
            default=0.0,
        )

    @property
    def moved(self) -> float:
        """The largest |batched - decoded| of the best id, while both chose alike."""
        common = zip(self.batched.peaks, self.exact.steps[: self.diverges], strict=False)
        return max((abs(peak - step.logits[0]) for peak, step in common), default=0.0)

    @property
    def diverges(self) -> int | None:
        """The first step at which the two chose differently; the end counts as a choice."""
        ours, theirs = self.batched.ids, self.exact.ids
        for at, (a, b) in enumerate(zip(ours, theirs, strict=False)):
            if a != b:
                return at
        return None if len(ours) == len(theirs) else min(len(ours), len(theirs))

    def flaws(self, allowed: float) -> Iterator[tuple[str, str]]:
        """What rounding does not explain, as (name, what)."""
        end = self.diverges
        common = zip(self.batched.peaks, self.exact.steps[:end], strict=False)
        for at, (peak, step) in enumerate(common):
            if abs(peak - step.logits[0]) > allowed:
                was = f"{step.logits[0]:.4g} became {peak:.4g}"
                yield self.name, f"step {at}: the logit of id {step.ids[0]}, {was} in the batch"
                return
        if end is not None:
            yield from self._tie(end, allowed)

    def _tie(self, at: int, allowed: float) -> Iterator[tuple[str, str]]:
        if at >= len(self.exact.steps):
            yield self.name, f"the batch went on after {at} ids, where one sequence ended"
            return
        step = self.exact.steps[at]
        chosen = self._chosen(at)
        margin = _margin(step, chosen)
        if margin is None or margin > 2 * allowed:
            behind = f"{margin:.2g} behind" if margin is not None else "not among the likeliest"
            what = "ended" if not chosen else f"chose {chosen[0]}"
            yield self.name, f"step {at}: the batch {what}, {behind} {step.ids[0]}"

    def _chosen(self, at: int) -> Sequence[int]:
        """The id that the batch took, or the ids that end a text."""
        if at < len(self.batched.ids):
            return self.batched.ids[at : at + 1]
        return self.exact.stop_ids if self.batched.finish == "stop" else ()


def _margin(step: TracedStep, chosen: Sequence[int]) -> float | None:
    """How far the best of `chosen` lies behind the best id; None when it was not kept."""
    kept = [z for i, z in zip(step.ids, step.logits, strict=True) if i in chosen]
    return step.logits[0] - max(kept) if kept else None
