"""What is planned and measured: small models of each family, and approaches that differ in kind."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import get_args

from training.memory import Approach, Architecture
from training.memory.approach import ALL_PROJECTIONS, ATTENTION, Type
from training.memory.architecture import FAMILIES

SMALL = Architecture(
    vocab_size=200,
    hidden_size=48,
    intermediate_size=112,
    num_hidden_layers=2,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=10,
)
"""No two sizes are the same or twice another, so that none can stand for another unseen."""

MIDDLE = Architecture(
    vocab_size=8000,
    hidden_size=512,
    intermediate_size=1408,
    num_hidden_layers=4,
    num_attention_heads=8,
    num_key_value_heads=4,
)
"""20 million parameters: its peaks stand out of what the process itself takes."""

MODELS = {
    **{family: replace(SMALL, family=family) for family in FAMILIES},
    "tied": replace(SMALL, tie_word_embeddings=True),
    "biased": replace(SMALL, attention_bias=True, mlp_bias=True),
    "all heads": replace(SMALL, num_key_value_heads=None),
}

_STEP = Approach(batch=2, tokens=8, rank=4)

FULL = {
    "full": _STEP,
    "full bfloat16": replace(_STEP, weights="bfloat16"),
    "full momentum": replace(_STEP, optimizer="momentum"),
    "full sgd": replace(_STEP, optimizer="sgd"),
}
_TARGETS = {
    "all": ALL_PROJECTIONS,
    "attention": ATTENTION,
    "v": ("v_proj",),
    "down": ("down_proj",),
    "o+gate": ("o_proj", "gate_proj"),
    "up": ("up_proj",),
}
LORA = {
    f"lora {name} {weights} {dropout}": replace(
        _STEP, kind="lora", targets=targets, weights=weights, dropout=dropout
    )
    for (name, targets), weights, dropout in product(_TARGETS.items(), get_args(Type), (0.0, 0.1))
}
APPROACHES = {**FULL, **LORA}
