"""bitsandbytes' NF4 layer, alone and under peft's LoRA: its backward beside autograd's.

The truth is autograd in float64 through the weight that the layer's own codes stand for. The layer
itself computes in float32: its kernels know no float64 (version 0.50.2 on a CPU returns memory that
was never written), so central differences of it are not possible; the bound stays 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from suites.gradients.case import Case, Maker, Tensors, called
from suites.gradients.defects import Defect, damaged
from suites.gradients.differences import (
    Measured,
    Probes,
    analytic,
    compare,
    probes_for,
    upstream_for,
)
from suites.lean import uncompiled

with uncompiled():
    import bitsandbytes as bnb
    from peft import LoraConfig
    from peft.tuners.lora.bnb import Linear4bit as LoraLinear4bit

INPUTS, OUTPUTS = 64, 6
"""One block of 64 weights for each output: each has a scale of its own."""

RANK, ALPHA = 2, 6
_nn: Any = bnb.nn  # without annotations in bitsandbytes
_LORA = {"a": "lora_A.default.weight", "b": "lora_B.default.weight", "input": "input"}


def layer(*, double: bool) -> Any:
    """A quantised linear layer with bias; `double` quantises its scales as well."""
    made = _nn.Linear4bit(INPUTS, OUTPUTS, bias=True, compress_statistics=double, quant_type="nf4")
    make = Maker(torch.float32)
    made.weight = _nn.Params4bit(
        make.normal(OUTPUTS, INPUTS, scale=0.4),
        requires_grad=False,
        quant_type="nf4",
        compress_statistics=double,
    )
    with torch.no_grad():
        made.bias.copy_(make.normal(OUTPUTS))
    return made.to("cpu").train()  # in eval mode some processors repack the codes for inference


def dequantised(made: Any) -> Tensor:
    """The weight that the codes stand for, float64, shape (outputs, inputs)."""
    weight = made.weight
    return torch.as_tensor(bnb.functional.dequantize_4bit(weight.data, weight.quant_state)).double()


def linear(of: str, *, double: bool) -> tuple[Case, Case]:
    """The layer by its input or its bias, and the same through the weight that it stands for."""
    made = layer(double=double)
    weight, bias = dequantised(made), made.bias.detach()
    x = Maker(torch.float32).normal(2, 3, INPUTS)
    given = {"input": x, "bias": bias}[of]
    subject = f"bitsandbytes Linear4bit, NF4{', double' if double else ''}, by its {of}"

    def run(t: Tensors) -> Tensor:
        return torch.as_tensor(called(made, t, t.get("input", x)))

    def truth(t: Tensors) -> Tensor:
        out = t.get("input", x.double()) @ weight.T + t.get("bias", bias.double())
        return torch.as_tensor(out)

    return _pair(subject, of, given, (run, truth))


def lora(of: str, *, double: bool) -> tuple[Case, Case]:
    """An adapter of peft on the layer, by A, B or the input, and the same formula in float64."""
    base = layer(double=double)
    weight, bias = dequantised(base), base.bias.detach().double()
    settings = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0)
    made = LoraLinear4bit(base, "default", settings, r=RANK, lora_alpha=ALPHA)
    make = Maker(torch.float32)
    values = {
        "input": make.normal(2, 3, INPUTS),
        _LORA["a"]: make.normal(RANK, INPUTS, scale=0.3),
        _LORA["b"]: make.normal(OUTPUTS, RANK, scale=0.3),
    }
    name = _LORA[of]

    def run(t: Tensors) -> Tensor:
        held = {**values, **t}
        return torch.as_tensor(called(made, held, held["input"]))

    def truth(t: Tensors) -> Tensor:
        held = {**{key: value.double() for key, value in values.items()}, **t}
        x, a, b = (held[key] for key in ("input", _LORA["a"], _LORA["b"]))
        return torch.as_tensor(x @ weight.T + bias + ALPHA / RANK * (x @ a.T @ b.T))

    return _pair(f"peft LoRA on NF4, by its {of}", name, values[name], (run, truth))


def _pair(
    subject: str, name: str, given: Tensor, runs: tuple[Callable[..., Tensor], ...]
) -> tuple[Case, Case]:
    under_test, truth = runs
    return (
        Case(subject=subject, tensors={name: given}, run=under_test),
        Case(subject=subject, tensors={name: given.double()}, run=truth),
    )


CASES: dict[str, Callable[[], tuple[Case, Case]]] = {
    "nf4_input": partial(linear, "input", double=False),
    "nf4_bias": partial(linear, "bias", double=False),
    "nf4_double_input": partial(linear, "input", double=True),
    "nf4_double_bias": partial(linear, "bias", double=True),
    **{f"nf4_lora_{of}": partial(lora, of, double=True) for of in _LORA},
}


def measured(name: str, defect: Defect | None = None) -> tuple[Measured, ...]:
    """Every element's gradient of a check, of its own backward or of a damaged one."""
    under_test, truth = CASES[name]()
    probes = {
        key: probes_for(tensor, elementwise=tensor.numel()) for key, tensor in truth.tensors.items()
    }
    with torch.no_grad():
        upstream = upstream_for(truth.run(truth.tensors))
    ours = analytic(
        under_test if defect is None else damaged(under_test, defect),
        {key: _narrow(probe) for key, probe in probes.items()},
        upstream.float(),
    )
    found = {key: value.double() for key, value in ours.items()}
    # the reference is given the very upstream that the layer was: float32 in float64
    return compare(truth, probes, found, analytic(truth, probes, upstream.float().double()))


def _narrow(probe: Probes) -> Probes:
    return Probes(method=probe.method, directions=probe.directions.float())


def forward_error(name: str) -> float:
    """How far the layer's output is from the reference's, relative to its largest value."""
    under_test, truth = CASES[name]()
    with torch.no_grad():
        right = truth.run(truth.tensors)
        ours = under_test.run(under_test.tensors)
    return float((ours.double() - right).abs().max() / right.abs().max())


def gradient_of_codes() -> Tensor | None:
    """By the quantised weight there is no gradient: codes are no numbers."""
    made = layer(double=False)
    x = Maker(torch.float32).normal(1, INPUTS).requires_grad_()
    made(x).sum().backward()
    return torch.as_tensor(made.weight.grad) if made.weight.grad is not None else None
