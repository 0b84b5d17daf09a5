"""A process of its own: tiny random models of several families, traced by transformers' hooks.

Prints a JSON object: by family, the blocks of layer 0 in order, whether every stage came once,
whether forcing a model's own values changes nothing, and whether forcing others does.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from pytest_modelqa.engines.hf_trace import trace
from pytest_modelqa.engines.tracing import Array, Stage

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "phi3")
IDS = (5, 9, 17, 3, 40)


def tiny(family: str) -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family,
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        pad_token_id=0,
        attn_implementation="eager",
    )
    made: Any = AutoModelForCausalLM
    return made.from_config(config).eval()


def seen(model: Any, force: dict[Stage, Array] | None = None) -> list[tuple[Stage, Array]]:
    found: list[tuple[Stage, Array]] = []

    def watch(stage: Stage, values: Array) -> Array | None:
        found.append((stage, values.copy()))
        return force.get(stage) if force else None

    trace(model, IDS, watch, device="cpu")
    return found


def told(family: str) -> dict[str, Any]:
    model = tiny(family)
    first = seen(model)
    again = seen(model, dict(first))
    moved = seen(model, {Stage("attention", 0): np.zeros((len(IDS), 32), dtype=np.float32)})
    plain = model(torch.tensor([IDS])).logits[0].numpy()
    return {
        "blocks": [s.block for s, _ in first if s.layer == 0],
        "once": len({s for s, _ in first}) == len(first),
        "ends": [first[0][0].block, *(s.block for s, _ in first[-2:])],
        "same": all(np.array_equal(a, b) for (_, a), (_, b) in zip(first, again, strict=True)),
        "logits": bool(np.array_equal(first[-1][1], plain)),
        "moved": not np.array_equal(first[-1][1], moved[-1][1]),
        "restored": bool(np.array_equal(seen(model)[-1][1], first[-1][1])),
    }


if __name__ == "__main__":
    with torch.inference_mode():
        sys.stdout.write(json.dumps({family: told(family) for family in FAMILIES}))
