"""Real configurations and the models that transformers makes of them, without weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from transformers.models.llama import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaRotaryEmbedding

from suites.reference import attention_parameters, llama_parameters, mlp_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of a Llama: `hidden` = `heads` * `width`."""

    vocabulary: int = 1000
    layers: int = 2
    heads: int = 4
    key_heads: int = 2
    width: int = 8
    inner: int = 96
    tied: bool = False

    @property
    def hidden(self) -> int:
        """The width of the residual stream."""
        return self.heads * self.width


def config(sizes: Sizes, **more: Any) -> LlamaConfig:
    """The configuration of these sizes."""
    given: dict[str, Any] = {
        "vocab_size": sizes.vocabulary,
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.inner,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.key_heads,
        "tie_word_embeddings": sizes.tied,
    }
    return LlamaConfig(**{**given, **more})


def count(sizes: Sizes) -> int:
    """How many parameters transformers' model of these sizes has."""
    with torch.device("meta"):
        made = LlamaForCausalLM(config(sizes))
    return sum(parameter.numel() for parameter in made.parameters())


def formula(sizes: Sizes) -> int:
    """How many it should have."""
    attention = attention_parameters(
        hidden=sizes.hidden, heads=sizes.heads, key_heads=sizes.key_heads, width=sizes.width
    )
    return llama_parameters(
        vocabulary=sizes.vocabulary,
        layers=sizes.layers,
        hidden=sizes.hidden,
        attention=attention,
        mlp=mlp_parameters(hidden=sizes.hidden, inner=sizes.inner),
        tied=sizes.tied,
    )


def attention_shapes(sizes: Sizes) -> dict[str, tuple[int, int]]:
    """The shapes of the projections of a real attention, outputs first."""
    with torch.device("meta"):
        module = LlamaAttention(config(sizes), 0)
    return {name: (p.shape[0], p.shape[1]) for name, p in module.named_parameters()}


def mlp_shapes(sizes: Sizes) -> dict[str, tuple[int, int]]:
    """The shapes of the projections of a real MLP, outputs first."""
    made: Any = LlamaMLP
    with torch.device("meta"):
        module = made(config(sizes))
    return {name: (p.shape[0], p.shape[1]) for name, p in module.named_parameters()}


def refusal(hidden: int, heads: int) -> str | None:
    """Why transformers refuse such heads for a hidden size: "heads", "rotation", or not at all."""
    try:
        LlamaConfig(hidden_size=hidden, num_attention_heads=heads, num_key_value_heads=heads)
    except StrictDataclassClassValidationError as error:
        reasons = {"multiple of the number of attention heads": "heads", "even rotary": "rotation"}
        said = [reason for words, reason in reasons.items() if words in str(error)]
        return said[0] if said else str(error)
    return None


def frequencies(width: int, theta: float) -> list[float]:
    """The rotary frequencies of a real model, in float32."""
    rope = {"rope_type": "default", "rope_theta": theta}
    made = LlamaRotaryEmbedding(config(Sizes(width=width), rope_parameters=rope))
    return [float(f) for f in made.inv_freq]


def weight_bytes(sizes: Sizes, dtype: torch.dtype) -> int:
    """The bytes of the weights of a real model of the type, as torch allocated them."""
    made: Any = LlamaForCausalLM(config(sizes))
    made.to(dtype)
    return sum(p.untyped_storage().nbytes() for p in made.parameters())
