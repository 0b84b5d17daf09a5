"""Traces of two models, made up: four layers of a Llama, with errors that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pytest_modelqa.core.comparison.trace import StageCompared, TraceCompared
from pytest_modelqa.core.stages import Block, StageStatistics

LAYER: tuple[tuple[Block, float], ...] = (
    ("attention_norm", 4e-8),
    ("value", 1.0),
    ("heads", 1.2),
    ("attention", 1.0),
    ("ffn_norm", 4e-8),
    ("gate", 1.0),
    ("up", 1.0),
    ("inner", 3e-8),
    ("ffn", 1.0),
    ("output", 0.0),
)
"""Sub-blocks with their own errors: below 1e-6 as they are, else times what storage costs."""


def statistics(block: Block, layer: int, **more: Any) -> StageStatistics:
    """A healthy stage of eight positions."""
    sound = StageStatistics(
        block=block,
        layer=layer,
        positions=8,
        width=16,
        nonfinite=0,
        rms=1.0,
        typical=1.0,
        mean=0.0,
        max_abs=4.0,
        across=0.8,
        within=0.9,
    )
    return replace(sound, **more)


def stage(block: Block, layer: int, own: float) -> StageCompared:
    """A stage that is wrong by `own` at every position."""
    return StageCompared(
        block=block,
        layer=layer,
        error=own * (layer + 2),
        own=own,
        worst=2 * own,
        text=0,
        at=3,
        noise=1e-7,
        cosine=1.0,
        profile=(own, own, own, own),
        candidate=statistics(block, layer),
        reference=statistics(block, layer),
    )


def compared(
    storage: float = 0.01,
    wrong: Mapping[Block, Mapping[int, float]] = MappingProxyType({}),
    *,
    layers: int = 4,
) -> TraceCompared:
    """Projections add `storage`; `{"ffn": {2: 1.0}}` makes that of layer 2 wrong by 100 %."""
    stages = [stage("embedding", -1, wrong.get("embedding", {}).get(-1, storage))]
    for layer in range(layers):
        for block, share in LAYER:
            own = share if share < 1e-6 else share * storage
            stages.append(stage(block, layer, wrong.get(block, {}).get(layer, own)))
    stages.append(stage("final_norm", -1, wrong.get("final_norm", {}).get(-1, 4e-8)))
    stages.append(stage("logits", -1, wrong.get("logits", {}).get(-1, storage)))
    return TraceCompared(
        texts=1,
        positions=8,
        stages=tuple(stages),
        unmatched=(),
        candidate_engine="llamacpp",
        reference_engine="transformers",
        dtype="llama F16",
    )


def changed(seen: TraceCompared, at: int, **fields: Any) -> TraceCompared:
    """The same with one stage's fields replaced."""
    stages = list(seen.stages)
    stages[at] = replace(stages[at], **fields)
    return replace(seen, stages=tuple(stages))
