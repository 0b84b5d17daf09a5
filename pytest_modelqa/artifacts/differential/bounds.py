"""How far a sound quantiser may move values, block by block, computed from the values themselves.

A uniform quantiser of step s moves a value by up to s / 2, with a mean square of s^2 / 12. The
step follows from the range of a block and the number of levels of its type (ggml-common.h), so
the expected error of each block of the reference is known, whatever its distribution; K-quants
add the rounding of their sub-blocks' scales. What is left to measure is one factor a type: the
ratio of the real error to that expectation, over a tensor and for the worst of its blocks.
`benchmarks/quantisation_bounds.py` measures them and prints the table below.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_HALF = 2.0**-25
"""Half the spacing of float16's smallest numbers: what a block scale may be off by."""


class Rule(NamedTuple):
    """How a type stores values.

    `sub` values share a scale, `block` values the float16 scale above it; `levels` steps span the
    range, of both signs about zero where `symmetric`. `coarse` is the added mean square of rounded
    sub-scales, in units of the largest step's s^2 / 12. `largest` is the largest multiple of the
    float16 scale. `tensor` and `worst` bound the measured ratio of squares, of a tensor and of a
    block.
    """

    sub: int
    block: int
    levels: float
    symmetric: bool
    coarse: float
    largest: float
    tensor: float
    worst: float


RULES: dict[str, Rule] = {
    "Q4_0": Rule(32, 32, 8, True, 0.0, 8, 1.25, 4.5),
    "Q4_1": Rule(32, 32, 15, False, 0.0, 15, 1.20, 3.5),
    "Q5_0": Rule(32, 32, 16, True, 0.0, 16, 1.25, 4.5),
    "Q5_1": Rule(32, 32, 31, False, 0.0, 31, 1.20, 3.5),
    "Q8_0": Rule(32, 32, 127, True, 0.0, 127, 1.25, 4.5),
    "IQ4_NL": Rule(32, 32, 8, True, 0.0, 127, 1.00, 3.5),
    "Q2_K": Rule(16, 256, 3, False, 0.1, 45, 0.80, 2.0),
    "Q3_K": Rule(16, 256, 4, True, 0.05, 128, 1.15, 2.5),
    "Q4_K": Rule(32, 256, 15, False, 0.1, 945, 0.90, 2.0),
    "Q5_K": Rule(32, 256, 31, False, 0.3, 1953, 0.80, 2.0),
    "Q6_K": Rule(16, 256, 32, True, 0.05, 4096, 1.00, 2.0),
    "IQ4_XS": Rule(32, 256, 8, True, 0.05, 4064, 1.00, 2.0),
}
"""`tensor` is a quarter more than the largest measured on ci-light (15 types, 39 tensors) and
SmolLM2 (9 types, 272 tensors), for quantisers that weigh values by importance; `worst` half as
much again as the worst of 4 million blocks."""

RELATIVE: dict[str, float] = {
    "F32": 1e-6, "F64": 1e-6, "F16": 2.0**-11, "BF16": 2.0**-8, "MXFP4": 0.2,
    "IQ3_S": 0.3, "IQ3_XXS": 0.35, "IQ2_S": 0.5, "IQ2_XS": 0.5, "IQ2_XXS": 0.55, "IQ1_S": 0.75,
    "IQ1_M": 0.75, "TQ1_0": 1.0, "TQ2_0": 1.0,
}  # fmt: skip
"""Of types without a range: the largest relative error. Floats: half a unit in the last place;
float32 leaves room for sums in another order. The others are codebooks: coarse bounds."""

_FLOATS = {"F16": (0.5, 1.0), "BF16": (0.9, 4.0)}
"""`tensor` and `worst` of floats: rounding has a third of the largest mean square. Some tools cut
bfloat16 off instead of rounding it, which doubles the error."""

SLOPES = {"F32": 1e-5, "F64": 1e-5, "F16": 1e-4, "BF16": 4e-3}
SLOPE = 3e-3
"""What the least-squares factor between candidate and reference may be off one: of floats, and of
quantised types, where 1.1e-3 was the most that was measured."""

_SUBNORMAL = {"F16": _HALF, "BF16": 0.0}
_ANY = 1e-4
"""Room for the rounding of the sums themselves."""


def exact(kind: str) -> bool:
    """Whether the type holds any float32 as it is."""
    return kind in {"F32", "F64"}


class Bound:
    """The error that is allowed between two stored types, for rows of `cols` values.

    `block` values are judged together: the larger block of the two types that divides a row.
    """

    def __init__(self, kinds: tuple[str, str], cols: int) -> None:
        self._kinds = [k for k in kinds if not exact(k)] or ["F32"]
        wanted = max((RULES[k].block for k in self._kinds if k in RULES), default=32)
        self.block = wanted if cols % wanted == 0 else cols
        known = [RULES[k] for k in self._kinds if k in RULES]
        limits = [(r.tensor, r.worst) for r in known]
        limits += [_FLOATS[k] for k in self._kinds if k in _FLOATS]
        self.tensor = max((tensor for tensor, _ in limits), default=1.0) + _ANY
        self.worst = max((worst for _, worst in limits), default=1.0) + _ANY
        self.slope = max(SLOPES.get(k, SLOPE) for k in self._kinds)

    def limit(self, blocks: int) -> float:
        """The largest ratio of real to expected squares over `blocks` blocks together."""
        return min(self.tensor + self.worst / blocks**0.5, self.worst) if blocks else self.worst

    def expected(self, values: Floats, squares: Floats) -> Floats:
        """Of each block the sum of squares to be expected, shape (blocks,).

        `values` are the reference's, shape (blocks, block); `squares` their sums of squares.
        """
        total = np.zeros(len(values), np.float32)
        for kind in self._kinds:
            rule = RULES.get(kind)
            total += self._ranged(rule, values) if rule else self._relative(kind, squares)
        return total

    def _relative(self, kind: str, squares: Floats) -> Floats:
        share = RELATIVE.get(kind, 1.0) ** 2
        floor = self.block * _SUBNORMAL.get(kind, 0.0) ** 2
        return np.asarray(squares * np.float32(share) + np.float32(floor))

    def _ranged(self, rule: Rule, values: Floats) -> Floats:
        sub = rule.sub if values.shape[1] % rule.sub == 0 else values.shape[1]
        parts = values.reshape(-1, sub)
        most, least = parts.max(axis=1), parts.min(axis=1)
        if rule.symmetric:
            span = np.maximum(most, -least)
        elif rule.block > rule.sub:  # the offset of K-quants is never above zero
            span = most - np.minimum(least, 0)
        else:
            span = most - least
        step = (span / np.float32(rule.levels)).reshape(len(values), -1)
        floor = values.shape[1] * (rule.largest * _HALF) ** 2 / 3
        spread = np.float32(values.shape[1] * rule.coarse / 12) * step.max(axis=1) ** 2
        each = np.einsum("ij,ij->i", step, step) * np.float32(sub / 12)
        return np.asarray(each + spread + np.float32(floor))
