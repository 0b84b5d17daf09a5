"""When a training step is at its peak: what is alive at once, in the four moments that can be it.

Measured on torch's own kernels for a CPU (see docs/memory.md): a step runs forward, turns at the
loss, runs back through the head and the layers while gradients replace activations, and updates the
weights one tensor at a time. What lies between two of these moments is between them in size.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.memory.approach import FLOAT, MOMENTS, Approach
from training.memory.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Bytes: what stays (`static`), what the forward pass leaves, what the backward pass makes."""

    static: int
    kept: int
    recomputed: int
    gradients: int


def log_probability_bytes(model: Architecture, approach: Approach) -> int:
    """The log-probabilities of every token for every position, in float32."""
    return FLOAT * approach.positions * model.vocab_size


def logit_bytes(model: Architecture, approach: Approach) -> int:
    """What the loss takes: the log-probabilities, their gradient and that of the logits."""
    return 3 * log_probability_bytes(model, approach)


def moments(model: Architecture, approach: Approach, step: Step) -> dict[str, int]:
    """Bytes that are alive at once, by the moment."""
    table = model.vocab_size * model.hidden_size * approach.width
    full = approach.kind == "full"
    logits = log_probability_bytes(model, approach)
    forward = step.static + step.kept
    return {
        "loss": forward + logit_bytes(model, approach),
        "head": forward + logits + (table if full else 0),
        "layers": forward
        + step.recomputed
        + layer_workspace_bytes(model, approach)
        + (table if full else 0),
        "embedding": step.static
        + step.gradients
        + (table if full and model.tie_word_embeddings else 0),
        "update": step.static + step.gradients + update_bytes(model, approach),
    }


def layer_workspace_bytes(model: Architecture, approach: Approach) -> int:
    """What a layer's backward pass takes for a moment.

    The gradients of the gated product and of its two factors; under qlora also a whole matrix that
    is unpacked to be multiplied with.
    """
    gates = 3 * approach.positions * model.intermediate_size * approach.width
    if approach.kind != "qlora":
        return gates
    return gates + max(m.weights for m in model.matrices) * approach.width


def update_bytes(model: Architecture, approach: Approach) -> int:
    """What the optimizer takes for a moment: two copies of the largest tensor under AdamW."""
    return MOMENTS[approach.optimizer] * _largest(model, approach)


def workspace_bytes(model: Architecture, approach: Approach) -> int:
    """The most that is taken for a moment, besides what the loss takes."""
    table = model.vocab_size * model.hidden_size * approach.width
    again = table if approach.kind == "full" and model.tie_word_embeddings else 0
    layers = layer_workspace_bytes(model, approach)
    return max(again, layers, update_bytes(model, approach))


def _largest(model: Architecture, approach: Approach) -> int:
    if approach.kind == "full":
        matrices = (matrix.weights for matrix in model.matrices)
        return approach.width * max(model.vocab_size * model.hidden_size, *matrices)
    ends = (max(m.inputs, m.outputs) for m in model.matrices if m.name in approach.targets)
    return FLOAT * approach.rank * max(ends)
