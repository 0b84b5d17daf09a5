"""Real constructors at extreme sizes, on torch's meta device: shapes and bytes without memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bitsandbytes as bnb
import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from peft import LoraConfig
from torch import Tensor
from transformers.models.llama import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRotaryEmbedding

from pytest_modelqa.core.errors import ModelQAError
from suites.property.adapters import adapted
from training.memory import Architecture

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "int8": torch.int8,
}


def built(sizes: Architecture) -> Any:
    """Transformers' own Llama of these sizes, without memory for its weights."""
    with torch.device("meta"):
        return LlamaForCausalLM(config(sizes))


def config(sizes: Architecture) -> LlamaConfig:
    """The same sizes as transformers' configuration."""
    return LlamaConfig(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.hidden_size,
        intermediate_size=sizes.intermediate_size,
        num_hidden_layers=sizes.num_hidden_layers,
        num_attention_heads=sizes.num_attention_heads,
        num_key_value_heads=sizes.key_heads,
        head_dim=sizes.width,
        tie_word_embeddings=sizes.tie_word_embeddings,
        bos_token_id=None,
        eos_token_id=None,
    )


def count(model: Any, *, trained: bool = False) -> int:
    """The parameters of a model, or those of them that are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trained)


def stored(model: Any) -> int:
    """The bytes that torch takes for the parameters of a model."""
    return sum(p.numel() * p.element_size() for p in model.parameters())


def with_adapters(sizes: Architecture, *, rank: int, targets: tuple[str, ...]) -> Any:
    """The model with peft's adapters of this rank."""
    with torch.device("meta"):
        return adapted(built(sizes), LoraConfig(r=rank, target_modules=list(targets)))


def logits(sizes: Architecture, *, batch: int, tokens: int) -> Tensor:
    """What the head of the model gives for so many sequences, on the meta device."""
    model = built(sizes)
    ids = torch.zeros(batch, tokens, dtype=torch.long, device="meta")
    with torch.inference_mode():
        given: Tensor = model.lm_head(model.model.norm(model.model.embed_tokens(ids)))
    return given


def projections(hidden: int, inner: int) -> dict[str, int]:
    """The weights of the projections of a real MLP, by name."""
    sizes = LlamaConfig(hidden_size=hidden, intermediate_size=inner)
    made: Any = LlamaMLP
    with torch.device("meta"):
        return {name: p.numel() for name, p in made(sizes).named_parameters()}


def frequencies(width: int, theta: float) -> Tensor:
    """The rotary frequencies of a real model for a head of this width, in float32."""
    made = LlamaConfig(
        hidden_size=width,
        num_attention_heads=1,
        num_key_value_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
    )
    return LlamaRotaryEmbedding(made).inv_freq


def packed(numbers: int, *, double: bool) -> int:
    """The bytes that bitsandbytes takes for so many numbers in NF4, with all scales and tables."""
    values = torch.linspace(-1, 1, numbers)
    codes, state = bnb.functional.quantize_4bit(
        values, quant_type="nf4", compress_statistics=double
    )
    parts = [codes, state.absmax, state.code]
    if double:
        parts += [state.state2.absmax, state.state2.code, state.offset]
    return sum(part.numel() * part.element_size() for part in parts)


def ggml_error(name: str, values: np.ndarray[Any, np.dtype[np.float32]]) -> tuple[int, float]:
    """The bytes that ggml's type takes for the values, and its largest error in them."""
    kind = GGMLQuantizationType[name]
    raw = quantize(values, kind)
    return raw.nbytes, float(np.abs(dequantize(raw, kind) - values).max())


def ending(call: Callable[[], object]) -> str:
    """How a call ends: `done`, `typed: WHAT` for an error of ours, else `TYPE: message`."""
    try:
        call()
    except ModelQAError as error:
        return f"typed: {error}"
    except Exception as error:  # noqa: BLE001 - whatever a person would be shown
        return f"{type(error).__name__}: {error}"
    return "done"
