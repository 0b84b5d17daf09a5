"""Where two models begin to differ: the stages whose own error nothing explains.

A stage's own error (`StageCompared.own`) is measured with the reference's input, so it does not
travel, and each stage is judged by itself. What explains an error is how the weights are stored:
all layers of one kind of sub-block are stored alike, or in two kinds of blocks of a few bits'
difference, and the sub-blocks among themselves too. So a stage is compared to its kind in other
layers, and its kind to the others.

Measured on healthy conversions of SmolLM2-135M (GGUF F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M,
Q4_0, safetensors F16, BF16) and ci-light (GGUF F32, F16, Q8_0, Q4_K_M) against transformers in
float32: the largest own error of a kind is at most 1.9 times its median over layers (heads: 2.5);
a kind's median at most 2.3 times the median of the others'; norms, sums and activations stay below
6e-8; heads below 1.4e-3 in F16, from the key-value cache's float16. The limits are about twice
that, and stand on an upper quartile rather than a median because some quantisations store up to
half of a kind's layers in more bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from pytest_modelqa.core.comparison.trace import StageCompared, TraceCompared
from pytest_modelqa.core.stages import Block

PROJECTIONS: tuple[Block, ...] = ("value", "heads", "attention", "gate", "up", "ffn")
"""Sub-blocks with large weights of their own, in each layer."""

PLAIN: tuple[Block, ...] = (
    "attention_norm",
    "attention_post_norm",
    "ffn_norm",
    "ffn_post_norm",
    "inner",
    "output",
    "final_norm",
)
"""No large weights: norms, activations, sums. GGUF keeps their weights in float32."""

OF_KIND = 3.5
"""Times the upper quartile of the same sub-block over the layers."""

OF_ALL = 6.0
"""Times the upper quartile of all projections."""

OF_OTHERS = 4.0
"""A kind's median over layers, times the median of the other kinds' medians: wrong everywhere."""

LEAST = 5e-4
"""Below this no projection is called wrong: twice the rounding of float16 weights."""

LEAST_HEADS = 4e-3
"""The same for attention's heads, whose keys and values llama.cpp keeps in float16."""

LEAST_PLAIN = 1e-4
"""The same for what is computed in float32 on both sides from float32 weights."""

MOST_PLAIN = 5e-3
"""Rounding of norms stored in bfloat16 (relative error of up to 2**-9 each)."""

MOST = 0.7
"""An error that no storage of two bits or more explains (two unrelated vectors: 1.41)."""

EVERYWHERE = 0.6
"""Share of a kind's layers above which a defect belongs to the model, not to a layer."""

_GROWING = 4.0
"""Times the error at the second position that makes a profile grow."""

TENSORS: dict[Block, str] = {
    "embedding": "token_embd",
    "attention_norm": "attn_norm",
    "value": "attn_v",
    "heads": "attn_q or attn_k",
    "attention": "attn_output",
    "attention_post_norm": "post_attention_norm",
    "ffn_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "ffn": "ffn_down",
    "ffn_post_norm": "post_ffw_norm",
    "final_norm": "output_norm",
    "logits": "output (or token_embd, where they are tied)",
}
"""What a wrong sub-block points at, in GGUF's names. `heads` also holds rotation and masking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A kind of sub-block that is wrong by itself.

    `layers` are those where it is (empty outside of layers); `everywhere` says that most layers
    are, so that a hyper-parameter or a convention is to blame rather than one tensor. `own` is the
    largest own error, of the stage `peak`; `limit` what would have been explained there.
    `at_start` is the error at the first position over the whole stage's, NaN where unknown: 0 for
    what depends on positions, like rotation. `grows` says that the error rises with position from
    the second on, at least fourfold: a wrong rotation base does, a permutation is wrong at once.
    """

    block: Block
    layers: tuple[int, ...]
    everywhere: bool
    own: float
    limit: float
    peak: StageCompared
    at_start: float
    grows: bool

    @property
    def tensors(self) -> str:
        """`blk.12.attn_v`: where to look; empty where no tensor is behind the sub-block."""
        name = TENSORS.get(self.block, "")
        if not name or not self.layers:
            return name
        return f"blk.{'*' if self.everywhere else self.layers[0]}.{name}"


def origins(seen: TraceCompared) -> tuple[Origin, ...]:
    """Kinds of sub-blocks with an error of their own, in execution order of their first layer."""
    judge = _Limits(seen)
    wrong: dict[Block, list[StageCompared]] = {}
    for stage in seen.stages:
        if not stage.own <= judge.limit(stage):  # NaN is wrong
            wrong.setdefault(stage.block, []).append(stage)
    return tuple(_origin(stages, seen.stages, judge) for stages in wrong.values())


def level(seen: TraceCompared) -> float:
    """What storage costs a typical projection: the median of their own errors; NaN without any."""
    found = [s.own for s in seen.stages if s.block in PROJECTIONS and math.isfinite(s.own)]
    return median(found) if found else math.nan


class _Limits:
    """What storage explains, for each stage of one comparison."""

    def __init__(self, seen: TraceCompared) -> None:
        self._native = seen.candidate_engine == "llamacpp"
        kinds = {b: [s.own for s in seen.stages if s.block == b] for b in PROJECTIONS}
        self._kinds = {b: [_number(e) for e in errors] for b, errors in kinds.items() if errors}
        self._all = [e for errors in self._kinds.values() for e in errors]

    def limit(self, stage: StageCompared) -> float:
        """The largest own error of this stage that passes."""
        if stage.block in PLAIN:
            stored = 0.0 if self._native else OF_ALL * _quartile(self._all)
            return max(LEAST_PLAIN, min(stored, MOST_PLAIN))
        least = LEAST_HEADS if stage.block == "heads" else LEAST
        explained = OF_ALL * _quartile(self._all)
        if stage.block in self._kinds:
            explained = min(explained, self._of_kind(stage.block))
        return min(MOST, max(least, explained))

    def _of_kind(self, block: Block) -> float:
        """By the sub-block's other layers; where most of those are wrong, by other sub-blocks."""
        own = self._kinds[block]
        others = [median(e) for b, e in self._kinds.items() if b != block]
        typical = OF_OTHERS * median(others) if others else math.inf
        return typical if median(own) > typical else OF_KIND * _quartile(own)


def _number(error: float) -> float:
    return math.inf if math.isnan(error) else error


def _quartile(values: Sequence[float]) -> float:
    """The upper quartile, rounded down: of four values the third, so one outlier cannot move it."""
    return sorted(values)[int(0.75 * (len(values) - 1))] if values else 0.0


def _origin(
    wrong: Sequence[StageCompared], stages: Iterable[StageCompared], judge: _Limits
) -> Origin:
    peak = max(wrong, key=lambda s: _number(s.own))
    alike = sum(s.block == peak.block for s in stages)
    profile = peak.profile
    own = peak.own
    return Origin(
        block=peak.block,
        layers=tuple(s.layer for s in wrong if s.layer >= 0),
        everywhere=peak.layer >= 0 and alike > 1 and len(wrong) >= EVERYWHERE * alike,
        own=own,
        limit=judge.limit(peak),
        peak=peak,
        at_start=profile[0] / own if profile and math.isfinite(own) and own else math.nan,
        grows=profile[1:2] != () and profile[-1] >= _GROWING * profile[1],
    )
