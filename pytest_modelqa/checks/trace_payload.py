"""A traced forward pass of one model: every layer's values are finite, alive and of sane size.

Limits hold for what healthy models do, a few huge activations included (SmolLM2-135M has values of
24,941 beside a typical 20). Measured on SmolLM2-135M in Q4_1, F16 and Q4_0 and on ci-light in F16,
Q4_0 and Q4_K_M, four prompts each: from one layer to the next the typical size of a position grows
at most 2.0 times, over the first layer 20.3 times; no sub-block's size is below 0.03 of its kind's
median; values vary over positions by at least 0.040 of their size, a norm's over channels by 0.14;
padding is the likeliest id at 0.14 of the positions at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, ClassVar

from pytest_modelqa.checks.oracles import garbage_in
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.stages import StageStatistics, Trace, Traced
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

GROWTH = 20.0
"""Times the typical size may grow over one layer; ten times what was seen."""

FIRST_GROWTH = 400.0
"""The same over the first layer, from the embedding."""

ALIVE = 1e-3
"""Share of its kind's median size that a sub-block has at least."""

VARYING = 1e-3
"""Share of its size by which a stage varies over positions."""

NORM_VARYING = 1e-2
"""Share of its size by which a norm's output varies over channels."""

FLOOD = 0.5
"""Share of positions whose likeliest id may be padding."""

_LEAST = 4
"""Positions below which nothing is said about constant output."""

PROMPT = "What is the capital of France?"


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePayload:
    """F-TRACE-PAYLOAD-001: no NaN or Inf, no exploding, dead or constant sub-block in any layer."""

    name: ClassVar[str] = "trace_payload"
    gate: ClassVar[str] = "F-TRACE-PAYLOAD-001"
    category: ClassVar[Category] = Category.STAB

    prompt: str = PROMPT

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """One forward pass."""
        return {"trace": traced(cell, self.prompt)}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by the first fault in execution order, NaN and Inf before all others."""
        seen: Traced = answers["trace"]
        if not seen.stages:
            return falsified("the engine shows no stage of the forward pass")
        if len(seen.ids) < _LEAST:
            return inconclusive(
                f"the prompt is {len(seen.ids)} ids long, {_LEAST} are needed",
                tested=len(seen.ids),
                remedy="give trace_payload a longer prompt",
            )
        tested = len(seen.stages)
        if faults := [*_nonfinite(seen.stages), *_faults(seen.stages)]:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            return falsified(f"{faults[0]}{more}", tested=tested, detail="\n".join(faults))
        largest = max(s.max_abs for s in seen.stages)
        return corroborated(
            f"{tested} sub-blocks over {len(seen.ids)} positions finite and alive, "
            f"largest value {largest:,.0f}",
            tested=tested,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadOutput:
    """F-TRACE-PAYLOAD-002: what follows from that pass is no flood of padding, and no garbage."""

    name: ClassVar[str] = "trace_payload_output"
    gate: ClassVar[str] = "F-TRACE-PAYLOAD-002"
    category: ClassVar[Category] = Category.QUAL

    prompt: str = PROMPT
    max_tokens: int = 16

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """The same pass, and an answer."""
        return {
            "trace": traced(cell, self.prompt),
            "answer": cell.ask(self.prompt, max_tokens=self.max_tokens),
        }

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by padding or one id at most positions, and by an answer that is garbage."""
        seen: Traced = answers["trace"]
        answer: Generation = answers["answer"]
        if not seen.top1:
            return falsified("the forward pass gave no logits")
        tested = len(seen.top1) + len(answer.ids)
        if problem := _flood(seen) or garbage_in(answer):
            return falsified(problem, tested=tested, detail=f"{answer.text[:200]!r}")
        return corroborated(
            f"{len(set(seen.top1))} different ids are likeliest over {len(seen.top1)} positions, "
            f"answered {answer.text.strip()[:60]!r}",
            tested=tested,
        )


def traced(cell: Cell, prompt: str) -> Trace:
    """A forward pass over a prompt, put the way the cell's modality does."""
    return Trace(text=prompt, chat=cell.modality != "run")


def _flood(seen: Traced) -> str:
    """GH-186: weights read in a wrong type make padding the likeliest id everywhere."""
    count = len(seen.top1)
    if lost := seen.top1.count(-1):
        return f"the logits of {lost} of {count} positions hold NaN"
    pads = seen.top1.count(seen.pad_id) if seen.pad_id >= 0 else 0
    if pads > FLOOD * count:
        return f"padding (id {seen.pad_id}) is the likeliest id at {pads} of {count} positions"
    if seen.greedy and set(seen.greedy) == {seen.pad_id}:
        return f"all {len(seen.greedy)} generated ids are padding (id {seen.pad_id})"
    if count >= _LEAST and len(set(seen.top1)) == 1:
        return f"id {seen.top1[0]} is the likeliest at each of {count} positions"
    return ""


def _nonfinite(stages: Sequence[StageStatistics]) -> Iterator[str]:
    for s in stages:
        if s.nonfinite:
            yield f"{place(s)}: {s.nonfinite:,} of {s.positions * s.width:,} values are NaN or Inf"


def _faults(stages: Sequence[StageStatistics]) -> Iterator[str]:
    sizes: dict[str, list[float]] = {}
    for s in stages:
        sizes.setdefault(s.block, []).append(s.typical)
    for s in stages:
        usual = median(sizes[s.block])
        if s.rms == 0:
            yield f"{place(s)}: all values are 0{_norm_hint(s)}"
        elif s.typical < ALIVE * usual:
            yield f"{place(s)}: dead, its size is {s.typical:.1e}, {usual:.1e} in other layers"
        elif s.across < VARYING:
            yield f"{place(s)}: the same values at every position"
        elif s.block.endswith("norm") and s.within < NORM_VARYING:
            yield f"{place(s)}: a norm's output that is the same in every channel"
    yield from _growth([s for s in stages if s.block in ("embedding", "output")])


def _norm_hint(stage: StageStatistics) -> str:
    """GH-189: a conversion that zeroed the weights of norms."""
    return ", as if the norm's weights were zeroed" if stage.block.endswith("norm") else ""


def _growth(stream: Sequence[StageStatistics]) -> Iterator[str]:
    """The residual stream from layer to layer."""
    for before, after in pairwise(stream):
        limit = FIRST_GROWTH if before.block == "embedding" else GROWTH
        if before.typical > 0 and after.typical > limit * before.typical:
            yield (
                f"{place(after)}: exploding, {after.typical / before.typical:.0f} times the size "
                f"before it ({limit:.0f} are allowed)"
            )


def place(stage: StageStatistics) -> str:
    """`layer 3 ffn_norm`."""
    return f"layer {stage.layer} {stage.block}" if stage.layer >= 0 else stage.block
