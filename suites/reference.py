"""The formulas that the suites hold real code against: plain Python floats, each with its source.

Nothing here is imported by what is tested, and nothing here imports what is tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def softmax(x: Sequence[float]) -> list[float]:
    """Powers of e over their sum, shifted by the largest (Goodfellow et al. 2016, section 4.1)."""
    largest = max(x)
    powers = [math.exp(value - largest) for value in x]
    total = math.fsum(powers)
    return [power / total for power in powers]


def softmax_backward(x: Sequence[float], upstream: Sequence[float]) -> list[float]:
    """The upstream g becomes s * (g - sum(s * g)): the Jacobian diag(s) - s s^T."""
    s = softmax(x)
    centre = math.fsum(a * b for a, b in zip(s, upstream, strict=True))
    return [a * (g - centre) for a, g in zip(s, upstream, strict=True)]


def constant(_done: float) -> float:
    """No decay."""
    return 1.0


def linear(done: float) -> float:
    """From 1 to 0 along a straight line (Devlin et al. 2018, BERT, A.2)."""
    return max(0.0, 1.0 - done)


def cosine(done: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter 2017, SGDR, equation 5, one cycle)."""
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def rate(
    step: int, *, peak: float, warmup: int, steps: int, decay: Callable[[float], float]
) -> float:
    """The learning rate of a step (from 0): linear from 0 to the peak, then the decay to the end.

    Warm-up is a part of the *initial* rate (Goyal et al. 2017, section 2.2), never of the rate that
    the optimizer holds at the moment.
    """
    if step < warmup:
        return peak * step / warmup
    return peak * decay((step - warmup) / max(1, steps - warmup))


def step_rate(step: int, *, peak: float, every: int, factor: float) -> float:
    """The rate times `factor` after each `every` steps (He et al. 2016, section 3.4)."""
    return float(peak * factor ** (step // every))


def cache_bytes(
    *, layers: int, key_heads: int, width: int, tokens: int, batch: int, itemsize: int
) -> int:
    """Keys and values of all layers: 2 * layers * batch * heads * tokens * width numbers."""
    return 2 * layers * batch * key_heads * tokens * width * itemsize


def rope_frequency(pair: int, *, width: int, theta: float) -> float:
    """The angle per position: theta ** (-2 i / width) (Su et al. 2021, RoFormer, equation 15)."""
    return float(theta ** (-2 * pair / width))


def attention_parameters(*, hidden: int, heads: int, key_heads: int, width: int) -> int:
    """Query and output of all heads, key and value of the key heads; no bias."""
    return 2 * hidden * heads * width + 2 * hidden * key_heads * width


def mlp_parameters(*, hidden: int, inner: int) -> int:
    """Gate, up and down."""
    return 3 * hidden * inner


def llama_parameters(
    *, vocabulary: int, layers: int, hidden: int, attention: int, mlp: int, tied: bool
) -> int:
    """Embedding and head (one matrix if tied), layers with two norms each, and the last norm."""
    tables = (1 if tied else 2) * vocabulary * hidden
    return tables + layers * (attention + mlp + 2 * hidden) + hidden


def symmetric_error(largest: float, bits: int) -> float:
    """Bound on the error of a block of Q8_0, Q4_0 or Q5_0 whose largest magnitude is given.

    Q8_0 rounds to 127 steps either side: half a step. Q4_0 and Q5_0 reach 2**(bits - 1) steps on
    the side of the largest value and one step fewer on the other: up to a whole step
    (ggml-quants.c, `quantize_row_q*_0_ref`). The scale is kept in float16.
    """
    steps = 127 if bits == 8 else 1 << (bits - 1)
    within = 0.5 if bits == 8 else 1.0
    return largest / steps * within + _half_error(largest, steps)


def affine_error(low: float, high: float, bits: int) -> float:
    """Bound on the error of a block of Q4_1 or Q5_1 between two values: half of one step."""
    steps = (1 << bits) - 1
    return (high - low) / steps / 2 + _half_error(high - low, steps) + _half_error(abs(low), 1)


def _half_error(value: float, times: int) -> float:
    """What rounding to float16 adds: 2**-11 of the value, or 2**-25 per step where it is tiny."""
    return value * (2**-11 + 1e-6) + times * 2**-25
