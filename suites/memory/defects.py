"""Planners with a fault each, of the kinds that earlier ones had: what a check has to notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from training.memory.plan import MemoryPlan

Defect = Callable[[MemoryPlan], MemoryPlan]


def without_scales(plan: MemoryPlan) -> MemoryPlan:
    """Four bits a weight and nothing else, as the system had it that this project grew from."""
    return replace(plan, scale_bytes=0)


def scales_not_quantised_again(plan: MemoryPlan) -> MemoryPlan:
    """A float32 for each block in spite of double quantisation: four times the bytes."""
    return replace(plan, scale_bytes=4 * plan.scale_bytes)


def without_gradients(plan: MemoryPlan) -> MemoryPlan:
    """No gradients."""
    return replace(plan, gradient_bytes=0)


def without_moments(plan: MemoryPlan) -> MemoryPlan:
    """AdamW with one number for a trained one instead of two."""
    return replace(plan, optimizer_bytes=plan.optimizer_bytes // 2)


def without_activations(plan: MemoryPlan) -> MemoryPlan:
    """No activations."""
    return replace(plan, activation_bytes=0, recomputed_bytes=0, logit_bytes=0)


def tied_counted_twice(plan: MemoryPlan) -> MemoryPlan:
    """The embedding counted again as the head, though they are one."""
    model = plan.architecture
    extra = model.vocab_size * model.hidden_size
    return replace(
        plan,
        base_parameters=plan.base_parameters + extra,
        trainable_parameters=plan.trainable_parameters + extra,
        weight_bytes=plan.weight_bytes + extra * plan.approach.width,
    )


def all_heads_have_keys(plan: MemoryPlan) -> MemoryPlan:
    """Keys and values as wide as queries, as before grouped-query attention."""
    model = plan.architecture
    extra = 2 * model.num_hidden_layers * model.hidden_size * (model.query_size - model.key_size)
    return replace(
        plan,
        base_parameters=plan.base_parameters + extra,
        trainable_parameters=plan.trainable_parameters + extra,
        weight_bytes=plan.weight_bytes + extra * plan.approach.width,
    )
