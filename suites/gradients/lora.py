"""peft's LoRA layer around a real projection: the adapter's two matrices and the input."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaAttention

from suites.gradients.case import Case, Maker, Tensors, called, parameters
from suites.lean import uncompiled
from suites.models import config

with uncompiled():
    from peft import LoraConfig
    from peft.tuners.lora.layer import Linear as LoraLinear

RANK, ALPHA = 2, 6
_NAMES = {"a": "lora_A.default.weight", "b": "lora_B.default.weight", "input": "input"}


def layer(make: Maker) -> LoraLinear:
    """LoRA of rank 2 on a Llama query projection; B is not zero, as it is when training starts."""
    base = LlamaAttention(config("llama", hidden_size=8), 0).q_proj
    settings = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0)
    made = LoraLinear(base, "default", settings, r=RANK, lora_alpha=ALPHA).to(make.dtype)
    make.fill(made)
    return made


def adapter(of: str, make: Maker) -> Case:
    """The layer by A, by B or by its input."""
    made = layer(make)
    x, held = make.normal(2, 2, 8), parameters(made)
    name = _NAMES[of]

    def run(t: Tensors) -> Tensor:
        return torch.as_tensor(called(made, {**held, **t}, t.get("input", x)))

    def without_adapter(t: Tensors) -> Tensor:
        return torch.as_tensor(made.base_layer(t["input"]))

    return Case(
        subject=f"peft.tuners.lora.Linear, by {of}",
        tensors={name: x if of == "input" else held[name]},
        run=run,
        short=without_adapter if of == "input" else None,
    )
