"""The parts of a block that take one input: projections, activations, normalisations, softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN
from transformers.loss.loss_utils import ForCausalLMLoss
from transformers.models.gemma.modeling_gemma import (
    GemmaMLP,
    GemmaRMSNorm,
    GemmaTextScaledWordEmbedding,
)
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention, Qwen2RMSNorm

from suites.gradients.case import Case, Maker, Tensors, called, over, parameters
from suites.models import config

PROJECTIONS = ("q", "k", "v", "o", "gate", "up", "down")
"""The seven projections of a block."""

_MLPS: dict[str, Any] = {"llama": LlamaMLP, "gemma": GemmaMLP}
_GATES = {"llama": "silu", "gemma": "gelu_pytorch_tanh"}
_NORMS: dict[str, Any] = {"llama": LlamaRMSNorm, "qwen2": Qwen2RMSNorm, "gemma": GemmaRMSNorm}


def projection(name: str, make: Maker, *, of: str) -> Case:
    """One linear layer of a real attention or MLP, by its input or by its weight."""
    small = config("llama", hidden_size=8, intermediate_size=12)
    inner = name in {"gate", "up", "down"}
    owner = _MLPS["llama"](small) if inner else LlamaAttention(small, 0)
    return _linear(getattr(owner, f"{name}_proj"), f"{type(owner).__name__}.{name}_proj", make, of)


def qwen_bias(make: Maker) -> Case:
    """Qwen2's projections have a bias; Llama's have none."""
    owner = Qwen2Attention(config("qwen2", hidden_size=8), 0)
    return _linear(owner.q_proj, "Qwen2Attention.q_proj.bias", make, "bias")


def _linear(layer: Any, subject: str, make: Maker, of: str) -> Case:
    layer.to(make.dtype)
    make.fill(layer)
    x, held = make.normal(2, 2, layer.in_features), parameters(layer)
    return Case(
        subject=f"{subject}, by its {of}",
        tensors={"input": x} if of == "input" else {of: held[of]},
        run=lambda t: called(layer, {**held, **t}, t.get("input", x)),
    )


def activation(name: str, make: Maker) -> Case:
    """An activation on the values of the seed and on values between them."""
    function = ACT2FN[name]
    x = make.values(-4.0, -2.0, -1.0, -0.3, 0.0, 0.2, 1.0, 2.0, 3.0, 5.0)
    gates: dict[str, Callable[[Tensor], Tensor]] = {
        "silu": torch.sigmoid,
        "gelu_pytorch_tanh": _tanh_gate,
    }
    gate = gates[name]
    return Case(
        subject=f"transformers.activations.{type(function).__name__}",
        tensors={"input": x},
        run=lambda t: function(t["input"]),
        short=lambda t: t["input"] * gate(t["input"]).detach(),
    )


def _tanh_gate(x: Tensor) -> Tensor:
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * (1 + torch.tanh(inner))


def gated(family: str, make: Maker) -> Case:
    """A whole gated MLP: SwiGLU of Llama, GeGLU of Gemma; input and the three weights."""
    small = config("llama", hidden_size=8, intermediate_size=5, hidden_act=_GATES[family])
    module = _MLPS[family](small)
    module.to(make.dtype)
    make.fill(module)

    def without_gate(t: Tensors) -> Tensor:
        gate = module.act_fn(t["input"] @ t["gate_proj.weight"].T).detach()
        up = t["input"] @ t["up_proj.weight"].T
        return torch.Tensor((gate * up) @ t["down_proj.weight"].T)

    return over(type(module).__name__, module, make.normal(1, 3, 8), short=without_gate)


def layer_norm(of: str, make: Maker) -> Case:
    """The layer norm that GPT-2 and its like hold, by input, gamma or beta."""
    module = nn.LayerNorm(6, eps=1e-5, dtype=make.dtype)
    make.fill(module)
    x, held = make.normal(2, 3, 6), parameters(module)
    name = {"input": "input", "gamma": "weight", "beta": "bias"}[of]

    def scale_held(t: Tensors) -> Tensor:
        deviation = torch.sqrt(t["input"].var(-1, correction=0, keepdim=True) + module.eps)
        centred = t["input"] - t["input"].mean(-1, keepdim=True)
        return centred / deviation.detach() * held["weight"] + held["bias"]

    return Case(
        subject=f"torch.nn.LayerNorm, by {of}",
        tensors={name: x if of == "input" else held[name]},
        run=lambda t: called(module, {**held, **t}, t.get("input", x)),
        short=scale_held if of == "input" else None,
    )


def rms_norm(family: str, make: Maker) -> Case:
    """The RMS norm of a family, by input and weight; Gemma's adds one to the weight."""
    module = _NORMS[family](6, eps=1e-5).to(make.dtype)
    make.fill(module)
    offset = 1.0 if family == "gemma" else 0.0

    def scale_held(t: Tensors) -> Tensor:
        mean_square = t["input"].pow(2).mean(-1, keepdim=True) + 1e-5
        return t["input"] * mean_square.rsqrt().detach() * (t["weight"] + offset)

    return over(type(module).__name__, module, make.normal(2, 3, 6), short=scale_held)


def softmax(make: Maker) -> Case:
    """Softmax as eager attention calls it; the dropped term is the sum in its derivative."""

    def run(t: Tensors) -> Tensor:
        return nn.functional.softmax(t["input"], dim=-1, dtype=torch.float32).to(make.dtype)

    return Case(
        subject="torch.nn.functional.softmax as eager attention calls it",
        tensors={"input": make.values(1, 2, 3, 4, -1, 0.5, 2.5, 1.5, shape=(2, 4))},
        run=run,
        short=lambda t: run(t).detach() * t["input"],
    )


def embedding(family: str, make: Maker) -> Case:
    """The embedding's weight; a token that occurs twice gets both contributions."""
    module = (
        GemmaTextScaledWordEmbedding(6, 4, None, embed_scale=2.0)  # type: ignore[arg-type]
        if family == "gemma"
        else nn.Embedding(6, 4)
    ).to(make.dtype)
    make.fill(module)
    ids = torch.tensor([[1, 3, 1], [0, 5, 1]])
    return Case(
        subject=f"{type(module).__name__} of {family}",
        tensors=parameters(module),
        run=lambda t: called(module, t, ids),
    )


def cross_entropy(make: Maker) -> Case:
    """The causal loss of transformers: shifted labels, one of them ignored."""
    labels = torch.tensor([[2, 0, 4, 1], [3, -100, 2, 2]])

    def run(t: Tensors) -> Tensor:
        return torch.as_tensor(ForCausalLMLoss(t["logits"], labels, vocab_size=5))

    def target_only(t: Tensors) -> Tensor:
        counted = labels[:, 1:] >= 0
        at = labels[:, 1:].clamp(min=0)[..., None]
        return -t["logits"][:, :-1].gather(-1, at)[..., 0][counted].mean()

    logits = make.normal(2, 4, 5)
    return Case(subject="ForCausalLMLoss", tensors={"logits": logits}, run=run, short=target_only)
