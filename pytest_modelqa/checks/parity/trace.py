"""Layer trace: every sub-block computes what the reference's does, given the same input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le, MinLen

from pytest_modelqa.checks.parity.origin import Origin, level, origins
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.comparison.trace import CompareTrace, StageCompared, TraceCompared
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.stages import Block
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified

TEXTS = (
    "The capital of France is Paris, and the river that flows through it is called the Seine. "
    "In 1889 a tower of iron was built there, and people came from far away to see it.",
    "def add(a, b):\n    return a + b\n\nfor i in range(10):\n    print(add(i, 2))\n",
)
"""Prose and code, of about fifty ids each."""

WORDS: dict[Block, str] = {
    "embedding": "the embedding",
    "attention_norm": "the norm before attention",
    "value": "attention's values",
    "heads": "attention's heads (queries, keys, rotation, mask)",
    "attention": "attention's output projection",
    "attention_post_norm": "the norm after attention",
    "ffn_norm": "the norm before the feed-forward block",
    "gate": "the feed-forward gate",
    "up": "the feed-forward up-projection",
    "inner": "the feed-forward activation",
    "ffn": "the feed-forward down-projection",
    "ffn_post_norm": "the norm after the feed-forward block",
    "output": "the residual sum",
    "final_norm": "the final norm",
    "logits": "the head",
}
"""Sub-blocks as a reader knows them."""


_READABLE = 1e-4
"""Smaller shares are not written as per cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceParity:
    """F-PARITY-TRACE: no sub-block of any layer adds an error that storage does not explain."""

    name: ClassVar[str] = "trace-parity"
    gate: ClassVar[str] = "F-PARITY-TRACE"
    category: ClassVar[Category] = Category.COMP

    texts: Annotated[tuple[str, ...], MinLen(1)] = TEXTS
    positions: Annotated[int, Ge(2), Le(512)] = 64

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """One comparison over all texts."""
        return {"trace": CompareTrace(texts=self.texts, positions=self.positions)}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by NaN or Inf, by another width, by an origin; named in execution order."""
        seen: TraceCompared = answers["trace"]
        if not seen.stages:
            return falsified("no stage was compared")
        if problem := next(filter(None, map(_unfit, seen.stages)), ""):
            return falsified(problem, tested=len(seen.stages), detail=told(seen))
        if not any(s.own > 0 or s.reference.rms > 0 for s in seen.stages):
            return falsified("the reference computes nothing but zeros", tested=len(seen.stages))
        found = origins(seen)
        if found:
            more = f", and {len(found) - 1} more kinds of sub-block" if len(found) > 1 else ""
            return falsified(
                f"{described(found[0])}{more}",
                tested=len(seen.stages),
                detail="\n".join(map(described, found)) + "\n" + told(seen),
                remedy=_remedy(found[0]),
            )
        return corroborated(
            f"{len(seen.stages)} sub-blocks over {seen.positions} positions, each within what "
            f"storage explains: no single origin, error grows evenly ({grown(seen)})",
            tested=len(seen.stages),
        )


def _unfit(stage: StageCompared) -> str:
    """Why a stage cannot be compared by numbers, or nothing."""
    place = place_of(stage.block, (stage.layer,) if stage.layer >= 0 else ())
    ours, theirs = stage.candidate, stage.reference
    if ours.width != theirs.width:
        return f"{place} is {ours.width} wide, the reference's {theirs.width}"
    if ours.nonfinite and not theirs.nonfinite:
        return f"{place}: {ours.nonfinite} values are NaN or Inf, none of the reference's"
    if theirs.nonfinite:
        return f"{place}: {theirs.nonfinite} values of the reference are NaN or Inf"
    return ""


def place_of(block: Block, layers: tuple[int, ...]) -> str:
    """`layer 12: attention's values`."""
    if not layers:
        return WORDS[block]
    if len(layers) == 1:
        return f"layer {layers[0]}: {WORDS[block]}"
    return f"layers {layers[0]}-{layers[-1]} ({len(layers)} of them): {WORDS[block]}"


def described(origin: Origin) -> str:
    """One origin in words, with its numbers."""
    at = f", see {origin.tensors}" if origin.tensors else ""
    return (
        f"{place_of(origin.block, origin.layers)}: wrong by {_share(origin.own)} given the "
        f"reference's input, where at most {_share(origin.limit)} is explained{at}"
    )


def _remedy(origin: Origin) -> str:
    if origin.everywhere:
        return "compare the hyper-parameters and conventions of both files: most layers are wrong"
    return "compare this tensor in both files: `modelqa crossval CANDIDATE REFERENCE`"


def grown(seen: TraceCompared) -> str:
    """How the error of the running model grows from the first layer's output to the last's."""
    outputs = [s.error for s in seen.stages if s.block == "output"] or [math.nan]
    return (
        f"{_share(outputs[0])} after the first layer, {_share(outputs[-1])} after the last, "
        f"{_share(seen.stages[-1].error)} at the end; a projection adds {_share(level(seen))}"
    )


def told(seen: TraceCompared) -> str:
    """Every stage as a line: its error running freely, its own, and the reference's noise."""
    lines = [
        f"{s.layer:4} {s.block:20} error {s.error:.1e} own {s.own:.1e} noise {s.noise:.1e} "
        f"worst {s.worst:.1e} at {s.at} of text {s.text}"
        for s in seen.stages
    ]
    return "\n".join([*lines, *(f"unmatched: {name}" for name in seen.unmatched)])


def _share(value: float) -> str:
    return f"{value:.2%}" if value >= _READABLE else f"{value:.1e}"
