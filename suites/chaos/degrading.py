"""Graceful degradation: what still fits a budget, and is planned to fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import gcd
from typing import Literal

from pytest_modelqa.core.errors import UsageError
from training.memory import Approach, Architecture, MemoryPlan, plan_memory

_KINDS: tuple[Literal["full", "lora", "qlora"], ...] = ("full", "lora", "qlora")


def degraded(model: Architecture, approach: Approach, budget_bytes: int) -> MemoryPlan:
    """The first plan that fits, giving up as little as possible; every step keeps the ones before.

    First the step becomes smaller (batch, then tokens), then what is trained (LoRA, then QLoRA),
    then the model (half its layers, then half its hidden size).

    Raises:
        UsageError: nothing fits, not even the smallest.
    """
    for smaller, how in _ladder(model, approach):
        plan = plan_memory(smaller, how)
        if plan.total_bytes <= budget_bytes:
            return plan
    raise UsageError(
        f"nothing fits {budget_bytes:,} bytes; the least is {plan.total_bytes:,}",
        remedy="give it more memory, or begin with a smaller model",
    )


def _ladder(model: Architecture, approach: Approach) -> Iterator[tuple[Architecture, Approach]]:
    start = _KINDS.index(approach.kind)
    for at, kind in enumerate(_KINDS[start:]):
        how = replace(approach, kind=kind)
        steps = [how] if at == 0 else []
        while how.batch > 1 or how.tokens > 1:
            how = replace(how, batch=max(1, how.batch // 2)) if how.batch > 1 else _shorter(how)
            steps.append(how)
        yield from ((model, step) for step in steps)
    last = replace(approach, kind="qlora", batch=1, tokens=1)
    while model.num_hidden_layers > 1 or model.hidden_size > 64:
        model = _smaller(model)
        yield model, last


def _shorter(approach: Approach) -> Approach:
    return replace(approach, tokens=max(1, approach.tokens // 2))


def _smaller(model: Architecture) -> Architecture:
    """Half the layers while there are several, then half the width."""
    if model.num_hidden_layers > 1:
        return replace(model, num_hidden_layers=model.num_hidden_layers // 2)
    heads = max(1, model.num_attention_heads // 2)
    return replace(
        model,
        hidden_size=model.hidden_size // 2,
        intermediate_size=max(1, model.intermediate_size // 2),
        num_attention_heads=heads,
        num_key_value_heads=gcd(heads, model.key_heads),
        head_dim=model.width,
    )
