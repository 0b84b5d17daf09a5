"""Whole decoder layers, the residual path, and the loss of whole tiny models."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.models.gemma.modeling_gemma import GemmaDecoderLayer
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer

from suites.gradients.attention import causal
from suites.gradients.case import Case, Maker, Tensors, called, parameters
from suites.models import Family, config, tiny

_LAYERS: dict[Family, Any] = {
    "llama": LlamaDecoderLayer,
    "qwen2": Qwen2DecoderLayer,
    "gemma": GemmaDecoderLayer,
}
_LENGTH = 3


def decoder_layer(family: Family, make: Maker) -> Case:
    """A whole layer, by its input and all its parameters; the dropped term is the skip."""
    small = config(family)
    layer = _LAYERS[family](small, 0).to(make.dtype)
    make.fill(layer)
    rotary = LlamaRotaryEmbedding(small)
    rotation = rotary(torch.zeros(1, dtype=make.dtype), torch.arange(_LENGTH)[None])
    mask = causal(_LENGTH, make.dtype)

    def run(t: Tensors) -> Tensor:
        out = called(layer, t, t["input"], attention_mask=mask, position_embeddings=rotation)
        return torch.as_tensor(out)

    return Case(
        subject=type(layer).__name__,
        tensors={"input": make.normal(1, _LENGTH, 16), **parameters(layer)},
        run=run,
        short=lambda t: run(t) - t["input"] + t["input"].detach(),
    )


def residual(make: Maker) -> Case:
    """The skips of a layer alone: with no output projections the layer is the identity."""
    whole = decoder_layer("llama", make)
    cut = {"self_attn.o_proj.weight", "mlp.down_proj.weight"}
    held = {k: v * 0 if k in cut else v for k, v in whole.tensors.items()}

    def run(t: Tensors) -> Tensor:
        return whole.run({**held, **t})

    return Case(
        subject="LlamaDecoderLayer, the residual path alone",
        tensors={"input": whole.tensors["input"]},
        run=run,
        short=lambda t: run(t) - t["input"] + t["input"].detach(),
    )


def model_loss(family: Family, make: Maker) -> Case:
    """The loss of a whole model by every parameter (Gemma's embedding is also its head)."""
    layers = 2 if family == "llama" else 1
    model = tiny(family, dtype=make.dtype, num_hidden_layers=layers)
    ids = torch.tensor([[3, 7, 1, 9], [2, 2, 5, 11]])

    def loss(t: Tensors, labels: Tensor) -> Tensor:
        out = called(model, t, input_ids=ids, labels=labels, use_cache=False)
        return torch.as_tensor(out.loss)

    fewer = ids.clone()
    fewer[1, 3] = -100
    return Case(
        subject=type(model).__name__,
        tensors=parameters(model),
        run=lambda t: loss(t, ids),
        short=lambda t: loss(t, fewer) * (5 / 6),
    )
