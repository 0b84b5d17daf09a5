"""Attention: its core by query, key and value; rotation; whole attentions of three families."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from transformers.models.gemma.modeling_gemma import GemmaAttention
from transformers.models.llama import modeling_llama
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
    eager_attention_forward,
)
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention

from suites.gradients.case import Case, Maker, Tensors, called, parameters
from suites.models import Family, config

_rotate_half: Any = modeling_llama.rotate_half  # without annotations in transformers

_ATTENTIONS: dict[Family, Any] = {
    "llama": LlamaAttention,
    "qwen2": Qwen2Attention,
    "gemma": GemmaAttention,
}


def causal(length: int, dtype: torch.dtype) -> Tensor:
    """The additive mask of causal attention, shape (1, 1, length, length)."""
    hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
    return torch.zeros(length, length, dtype=dtype).masked_fill(hidden, torch.finfo(dtype).min)[
        None, None
    ]


def core(by: str, make: Maker, *, masked: bool = False) -> Case:
    """Llama's eager attention on given query, key and value, by one of them or by all.

    `by` is "query", "key", "value" or "all". Shapes: (1, heads 2, length 3, width 4).
    """
    module = LlamaAttention(config("llama", num_key_value_heads=4), 0)
    all_three = {
        "query": make.normal(1, 2, 3, 4),
        "key": make.normal(1, 2, 3, 4, scale=0.8) + 0.1,
        "value": make.normal(1, 2, 3, 4, scale=1.2) - 0.2,
    }
    mask = causal(3, make.dtype) if masked else None

    def run(t: Tensors) -> Tensor:
        q, k, v = ({**all_three, **t}[name] for name in ("query", "key", "value"))
        return torch.as_tensor(eager_attention_forward(module, q, k, v, mask, module.scaling)[0])

    def weights_held(t: Tensors) -> Tensor:
        """The softmax's own derivative without its sum over the row."""
        q, k, v = ({**all_three, **t}[name] for name in ("query", "key", "value"))
        scores = q @ k.transpose(2, 3) / math.sqrt(4) + (0 if mask is None else mask)
        weights = scores.softmax(-1)
        mixed = (weights.detach() * scores) @ v.detach() + weights.detach() @ v
        return mixed.transpose(1, 2)

    return Case(
        subject=f"eager_attention_forward{', causal' if masked else ''}, by {by}",
        tensors=all_three if by == "all" else {by: all_three[by]},
        run=run,
        short=None if by == "value" else weights_held,
    )


def _rotation(length: int, make: Maker) -> tuple[Tensor, Tensor]:
    rotary = LlamaRotaryEmbedding(config("llama"))
    cos, sin = rotary(torch.zeros(1, dtype=make.dtype), torch.arange(length)[None])
    return cos, sin


def rope(make: Maker) -> Case:
    """The rotary embedding of query and key at positions 0 to 2."""
    cos, sin = _rotation(3, make)

    def run(t: Tensors) -> Tensor:
        return torch.cat(apply_rotary_pos_emb(t["query"], t["key"], cos, sin))

    def unrotated(t: Tensors) -> Tensor:
        x = torch.cat((t["query"], t["key"]))
        return torch.as_tensor(x * cos[:, None] + _rotate_half(x).detach() * sin[:, None])

    query, key = make.normal(1, 2, 3, 4), make.normal(1, 2, 3, 4, scale=0.7)
    both = {"query": query, "key": key.flip(-1)}
    return Case(subject="apply_rotary_pos_emb", tensors=both, run=run, short=unrotated)


def whole(family: Family, make: Maker, *, key_heads: int, implementation: str = "eager") -> Case:
    """A whole causal attention with its four projections: input and every parameter."""
    small = config(family, num_key_value_heads=key_heads, attn_implementation=implementation)
    module = _ATTENTIONS[family](small, 0).to(make.dtype)
    make.fill(module)
    rotation, mask = _rotation(3, make), causal(3, make.dtype)
    return Case(
        subject=f"{type(module).__name__}, 4 heads on {key_heads}, {implementation}",
        tensors={"input": make.normal(1, 3, 16), **parameters(module)},
        run=lambda t: called(module, t, t["input"], rotation, mask)[0],
    )
