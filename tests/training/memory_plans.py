"""Plans of small decoders in every kind of training, to the byte.

`python -m tests.training.memory_plans` writes `samples/memory_plans.json` anew. The numbers are no
opinion: `suites/memory` holds the same planner against what torch and bitsandbytes allocate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from training import plan_memory
from training.memory import MODELS, Approach, Architecture

SAMPLE = Path(__file__).parent / "samples" / "memory_plans.json"

DECODERS = {
    "llama": Architecture(
        vocab_size=100, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=4,
    ),
    "llama, biased, tied": Architecture(
        vocab_size=101, hidden_size=20, intermediate_size=36, num_hidden_layers=3,
        num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
        attention_bias=True, mlp_bias=True,
    ),
    "qwen2": Architecture(
        family="qwen2", vocab_size=103, hidden_size=16, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8,
    ),
    "qwen3": Architecture(
        family="qwen3", vocab_size=107, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=12,
    ),
    "gemma": Architecture(
        family="gemma", vocab_size=109, hidden_size=24, intermediate_size=44, num_hidden_layers=4,
        num_attention_heads=3, num_key_value_heads=1, head_dim=16,
    ),
}  # fmt: skip
TARGETS = (
    ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    ("q_proj",),
    ("k_proj",),
    ("v_proj", "o_proj"),
    ("o_proj",),
    ("gate_proj",),
    ("gate_proj", "down_proj"),
    ("up_proj", "down_proj"),
    ("down_proj",),
)


def approaches() -> Iterator[Approach]:
    """Every kind, type, recomputation and adapter; each with another number of tokens."""
    switches = product(("float32", "bfloat16"), (False, True))
    for number, (weights, checkpointing) in enumerate(switches):
        shape: dict[str, Any] = {
            "weights": weights, "checkpointing": checkpointing, "batch": 1 + number % 3,
            "tokens": 5 + 2 * number,
        }  # fmt: skip
        for optimizer in ("adamw", "momentum", "sgd"):
            yield Approach(kind="full", optimizer=optimizer, **shape)
        for kind, dropout, targets in product(("lora", "qlora"), (0.0, 0.25), TARGETS):
            yield Approach(
                kind=kind,  # type: ignore[arg-type]
                rank=2 + number,
                dropout=dropout,
                targets=targets,
                double_quantisation=bool(number % 2),
                **shape,
            )


NAMES = (*DECODERS, *MODELS)


def plans(name: str) -> list[list[int]]:
    """Of a decoder, in the order of `approaches`: all parts, and what is peak at which time."""
    if name in MODELS:
        return [_numbers(MODELS[name], Approach()), _numbers(MODELS[name], Approach(kind="qlora"))]
    return [_numbers(DECODERS[name], approach) for approach in approaches()]


def _numbers(decoder: Architecture, approach: Approach) -> list[int]:
    plan = plan_memory(decoder, approach)
    counts = [plan.parameters, plan.trainable_parameters, plan.recomputed_bytes]
    return [*counts, *plan.parts.values(), *plan.moments.values(), plan.peak_bytes]


if __name__ == "__main__":
    rows = ",\n".join(
        f"{json.dumps(name)}: [\n" + ",\n".join(map(json.dumps, plans(name))) + "\n]"
        for name in NAMES
    )
    SAMPLE.write_text("{\n" + rows + "\n}\n", encoding="utf-8")
