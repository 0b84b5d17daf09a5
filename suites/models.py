"""Small models of the real classes of transformers, with weights from a seed.

The sizes keep what matters apart: more than one layer, fewer key heads than query heads, a head of
four dimensions (two rotations), an inner width that is no multiple of the hidden one.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from transformers.models.gemma import GemmaConfig, GemmaForCausalLM
from transformers.models.llama import LlamaConfig, LlamaForCausalLM
from transformers.models.qwen2 import Qwen2Config, Qwen2ForCausalLM

Family = Literal["llama", "qwen2", "gemma"]
FAMILIES: tuple[Family, ...] = ("llama", "qwen2", "gemma")

SIZES: dict[str, Any] = {
    "vocab_size": 24,
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "max_position_embeddings": 64,
    "pad_token_id": None,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "attn_implementation": "eager",
}
"""The sizes of a tiny model; any of them can be given anew."""

_CONFIGS = {"llama": LlamaConfig, "qwen2": Qwen2Config, "gemma": GemmaConfig}
_MODELS = {"llama": LlamaForCausalLM, "qwen2": Qwen2ForCausalLM, "gemma": GemmaForCausalLM}


def config(family: Family, **sizes: Any) -> Any:
    """A configuration of the family, in the small sizes unless told otherwise."""
    return _CONFIGS[family](**{**SIZES, **sizes})


def tiny(family: Family, *, dtype: torch.dtype = torch.float32, seed: int = 0, **sizes: Any) -> Any:
    """A causal language model of the family; weights are normal with 0.2, from the seed."""
    made = _MODELS[family](config(family, **sizes)).to(dtype).eval()
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            noise = torch.randn(parameter.shape, generator=source, dtype=torch.float64)
            parameter.copy_(0.2 * noise + (1.0 if parameter.ndim == 1 else 0.0))
    return made
