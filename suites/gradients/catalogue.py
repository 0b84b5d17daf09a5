"""Every check by name, measured once a process: the backward under test beside the differences."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor

from suites.gradients import attention, layers, lora, parts
from suites.gradients.case import Case, Maker, Tensors
from suites.gradients.defects import Defect, damaged
from suites.gradients.differences import (
    Measured,
    Probes,
    analytic,
    compare,
    numeric,
    probes_of,
    step_for,
    upstream_for,
)
from suites.gradients.exact import Exact
from suites.models import FAMILIES

_ATTENTION = {"attention_q": "query", "attention_k": "key", "attention_v": "value"}

CASES: dict[str, Callable[[Maker], Case]] = {
    **{
        f"{'ffn' if name in {'gate', 'up', 'down'} else 'matmul'}_{name}_projection": partial(
            parts.projection, name, of="input"
        )
        for name in parts.PROJECTIONS
    },
    **{
        f"weight_{name}_projection": partial(parts.projection, name, of="weight")
        for name in parts.PROJECTIONS
    },
    "bias_q_projection_qwen2": parts.qwen_bias,
    "gelu_activation": partial(parts.activation, "gelu_pytorch_tanh"),
    "swish_activation": partial(parts.activation, "silu"),
    "swiglu_combined": partial(parts.gated, "llama"),
    "geglu_gemma": partial(parts.gated, "gemma"),
    **{f"layer_norm_{of}": partial(parts.layer_norm, of) for of in ("input", "gamma", "beta")},
    **{f"rms_norm_{family}": partial(parts.rms_norm, family) for family in FAMILIES},
    **{name: partial(attention.core, by) for name, by in _ATTENTION.items()},
    "attention_full_pass": partial(attention.core, "all"),
    "softmax": parts.softmax,
    "rope": attention.rope,
    "causal_mask": partial(attention.core, "all", masked=True),
    "multi_head_attention": partial(attention.whole, "llama", key_heads=4),
    "grouped_query_attention": partial(attention.whole, "llama", key_heads=2),
    "grouped_query_attention_qwen2": partial(attention.whole, "qwen2", key_heads=2),
    "multi_query_attention_gemma": partial(attention.whole, "gemma", key_heads=1),
    "sdpa_attention": partial(attention.whole, "llama", key_heads=2, implementation="sdpa"),
    "cross_entropy": parts.cross_entropy,
    "embedding": partial(parts.embedding, "llama"),
    "embedding_gemma": partial(parts.embedding, "gemma"),
    "residual": layers.residual,
    **{f"decoder_layer_{family}": partial(layers.decoder_layer, family) for family in FAMILIES},
    **{f"lora_{of}": partial(lora.adapter, of) for of in ("a", "b", "input")},
    **{f"model_loss_{family}": partial(layers.model_loss, family) for family in FAMILIES},
}

SEED_STEP, SEED_BOUND = 1e-3, 0.2
"""The older suite's setting: float32, loss = plain sum, an absolute error below 0.2 passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case in float64 with its probes, its projection and the differences along the probes."""

    case: Case
    probes: dict[str, Probes]
    upstream: Tensor
    truth: Tensors
    casts: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSetting:
    """The same check under the older suite's setting, and whether a backward of zeros passes it."""

    absolute: float
    passes: bool
    zeros_pass: bool


@cache
def prepared(name: str) -> Prepared:
    """The differences of a check; they do not depend on its backward, so controls share them."""
    started = time.perf_counter()
    with Exact() as mode:
        case = CASES[name](Maker(torch.float64))
        probes = probes_of(case)
        with torch.no_grad():
            upstream = upstream_for(case.run(case.tensors))
        truth = numeric(case, probes, upstream, step_for(torch.float64))
    return Prepared(
        case=case,
        probes=probes,
        upstream=upstream,
        truth=truth,
        casts=mode.casts,
        seconds=time.perf_counter() - started,
    )


def measured(
    name: str, defect: Defect | None = None, only: str | None = None
) -> tuple[Measured, ...]:
    """The errors of a check, of its own backward or of a damaged one."""
    held = prepared(name)
    case = held.case if defect is None else damaged(held.case, defect, only)
    with Exact():
        ours = analytic(case, held.probes, held.upstream)
    return compare(held.case, held.probes, ours, held.truth)


def worst_place(name: str, tensor: str) -> str:
    """Where a gradient is most wrong, of 64 elements spread over it."""
    held = prepared(name)
    values = held.case.tensors[tensor]
    chosen = {tensor: _some_elements(values, 64)}
    with Exact():
        truth = numeric(held.case, chosen, held.upstream, step_for(torch.float64))[tensor]
        ours = analytic(held.case, chosen, held.upstream)[tensor]
    at = int((ours - truth).abs().argmax())
    place = [int(i) for i in chosen[tensor].directions[at].nonzero()[0]]
    return f"{tensor}{place}: {float(ours[at]):.6g}, differences say {float(truth[at]):.6g}"


def first_token_gradient(*, masked: bool) -> Tensor:
    """By the values of all tokens, of the first token's output: (1, heads, length, width)."""
    case = attention.core("value", Maker(torch.float64), masked=masked)
    value = case.tensors["value"].requires_grad_()
    with Exact():
        first = case.run({"value": value})[:, 0].sum()
    return torch.autograd.grad(first, value)[0]


def vacuous() -> Measured:
    """A function whose every derivative is zero, as softmax's under a plain sum of its output."""
    return _constant(lambda x: x * 0)


def not_a_number() -> Measured:
    """A function whose derivative at zero is no number."""
    return _constant(lambda x: torch.sqrt(x - x) * x)


def _constant(function: Callable[[Tensor], Tensor]) -> Measured:
    case = Case(
        subject="a formula",
        tensors={"x": torch.ones(3, dtype=torch.float64)},
        run=lambda t: function(t["x"]),
    )
    probes, upstream = probes_of(case), torch.ones(3, dtype=torch.float64)
    truth = numeric(case, probes, upstream, step_for(torch.float64))
    return compare(case, probes, analytic(case, probes, upstream), truth)[0]


def with_casts(name: str) -> tuple[Measured, ...]:
    """The check on the stock module as it is, casting to float32 inside."""
    case = CASES[name](Maker(torch.float64))
    probes = probes_of(case)
    with torch.no_grad():
        upstream = upstream_for(case.run(case.tensors))
    truth = numeric(case, probes, upstream, step_for(torch.float64))
    return compare(case, probes, analytic(case, probes, upstream), truth)


def cast_distance(name: str) -> float:
    """How far the output with the casts is from the one without, relative to its largest value."""
    case = CASES[name](Maker(torch.float64))
    with torch.no_grad():
        stock = case.run(case.tensors)
        with Exact():
            exact = case.run(case.tensors)
    return float((stock - exact).abs().max() / exact.abs().max())


def seed_setting(name: str) -> SeedSetting:
    """Run the check as the older suite did, on about 16 elements spread over its tensors."""
    case = CASES[name](Maker(torch.float32))
    share = max(1, 16 // len(case.tensors))
    probes = {key: _some_elements(tensor, share) for key, tensor in case.tensors.items()}
    with torch.no_grad():
        upstream = torch.ones_like(case.run(case.tensors))
    truth = numeric(case, probes, upstream, SEED_STEP)
    ours = analytic(case, probes, upstream)
    absolute = max(float((ours[key] - truth[key]).abs().max()) for key in probes)
    largest = max(float(value.abs().max()) for value in truth.values())
    return SeedSetting(
        absolute=absolute, passes=absolute < SEED_BOUND, zeros_pass=largest < SEED_BOUND
    )


def _some_elements(tensor: Tensor, most: int) -> Probes:
    count = tensor.numel()
    chosen = torch.linspace(0, count - 1, min(count, most)).round().long()
    unit = torch.zeros(len(chosen), count, dtype=tensor.dtype)
    unit[torch.arange(len(chosen)), chosen] = 1
    return Probes(method="elements", directions=unit.reshape(-1, *tensor.shape))
