"""How a plan is held against what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.memory.plan import MemoryPlan

if TYPE_CHECKING:
    from suites.memory.real import Allocated

PEAK = 0.15
"""How far the planned peak of a step may be from the measured one, as a share of that."""

PACKED = 0.01
"""The same for the bytes of quantised weights."""


def differences(plan: MemoryPlan, found: Allocated) -> dict[str, int]:
    """Planned less measured, of every part that is not the same to the byte."""
    pairs = {
        "parameters": (plan.parameters, found.parameters),
        "trainable": (plan.trainable_parameters, found.trainable),
        "weights": (plan.weight_bytes, found.weights),
        "adapters": (plan.adapter_bytes, found.adapters),
        "gradients": (plan.gradient_bytes, found.gradients),
        "optimizer": (plan.optimizer_bytes, found.optimizer),
        "activations": (plan.activation_bytes, found.activations),
    }
    return {name: planned - real for name, (planned, real) in pairs.items() if planned != real}


def error(planned: int, measured: int) -> float:
    """The distance as a share of what was measured; infinite where nothing was."""
    return abs(planned - measured) / measured if measured > 0 else float("inf")
