"""peft's adapters on real models, without memory for weights."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from transformers.models.llama import LlamaForCausalLM

from suites.lean import uncompiled
from suites.property.configs import Sizes, config

with uncompiled():
    from peft import LoraConfig, get_peft_model


def adapted(base: Any, settings: LoraConfig) -> Any:
    """The model with the adapter around its projections.

    peft still asks transformers by a name that transformers 5.2x deprecates: not our warning.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(base, settings)


def trainable(rank: int, *, layers: int) -> int:
    """How many parameters LoRA trains on the attention of so many layers of a 7B Llama."""
    sizes = Sizes(layers=layers, heads=32, key_heads=32, width=128, inner=11_008, vocabulary=10)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    with torch.device("meta"):
        base: Any = LlamaForCausalLM(config(sizes))
        made = adapted(base, LoraConfig(r=rank, target_modules=targets))
    return sum(p.numel() for p in made.parameters() if p.requires_grad)
