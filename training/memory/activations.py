"""What the forward pass keeps for the backward pass, tensor by tensor.

The rules are autograd's: a product keeps a factor if the other one needs a gradient, a linear
projection keeps its input if its weight does, an addition keeps nothing. They are applied to the
decoders of transformers 5 with sdpa attention and no padding mask, as they run on a CPU;
`suites/memory` holds the result against what autograd kept, to the byte. Eager attention would keep
its probabilities as well: a square of the tokens.
"""

from __future__ import annotations

from training.memory.approach import FLOAT, Approach
from training.memory.architecture import Architecture

_INDEX = 8
"""Bytes of a token or of a label: int64."""


def activation_bytes(model: Architecture, approach: Approach) -> int:
    """Bytes that the backward pass finds, without the log-probabilities of the loss.

    With checkpointing: the inputs of all layers, and the inside of the one that is recomputed.
    """
    return kept_bytes(model, approach) + recomputed_bytes(model, approach)


def kept_bytes(model: Architecture, approach: Approach) -> int:
    """Bytes that are there when the backward pass begins."""
    outside = outside_bytes(model, approach)
    if approach.checkpointing:
        return outside + model.num_hidden_layers * stream_bytes(model, approach)
    first = layer_bytes(model, approach, fed=approach.kind == "full")
    return outside + first + (model.num_hidden_layers - 1) * layer_bytes(model, approach)


def recomputed_bytes(model: Architecture, approach: Approach) -> int:
    """The inside of one layer, where it is recomputed; else nothing.

    In float32 the layer's own input is what its norm keeps, and is there already.
    """
    if not approach.checkpointing:
        return 0
    there = stream_bytes(model, approach) if approach.weights == "float32" else 0
    return layer_bytes(model, approach) - there


def stream_bytes(model: Architecture, approach: Approach) -> int:
    """The hidden states of one step between two layers."""
    return approach.positions * model.hidden_size * approach.width


def outside_bytes(model: Architecture, approach: Approach) -> int:
    """What is kept outside the layers: rotations, the last norm and the head's input, indices."""
    full = approach.kind == "full"
    indices = approach.positions * _INDEX
    rotations = 2 * approach.tokens * model.width * approach.width
    last = approach.positions * _norm(model, approach, model.hidden_size, 1) + _gain(model)
    head = stream_bytes(model, approach) if full else 0
    return rotations + last + head + indices * (2 if full else 1) + FLOAT


def layer_bytes(model: Architecture, approach: Approach, *, fed: bool = True) -> int:
    """What one layer keeps; `fed` says whether its input needs a gradient."""
    attends = fed or any(map(approach.trains, ("q_proj", "k_proj", "v_proj")))
    after = attends or approach.trains("o_proj")
    each = _norm(model, approach, model.hidden_size, 1) * (fed + after)
    each += _attention(model, approach, fed=fed) if attends else 0
    each += _gates(model, approach, fed=after)
    each += sum(
        _inputs(approach, model, names, kept=kept, fed=grown)
        for names, kept, grown in (
            (("q_proj", "k_proj", "v_proj"), False, fed),
            (("o_proj",), attends, attends),
            (("gate_proj", "up_proj"), False, after),
            (("down_proj",), False, after or _any(approach, "gate_proj", "up_proj")),
        )
    )
    return approach.positions * each + _gain(model) * (fed + after)


def _any(approach: Approach, *projections: str) -> bool:
    return any(map(approach.trains, projections))


def _norm(model: Architecture, approach: Approach, size: int, rows: int) -> int:
    """Bytes per position: the input in float32, one factor a row, and what the gain is applied to.

    The last only where the gain is trained; gemma applies it before it leaves float32.
    """
    applied = FLOAT if model.family == "gemma" else approach.width
    return FLOAT * (size + rows) + (applied * size if approach.kind == "full" else 0)


def _gain(model: Architecture) -> int:
    """Bytes per norm: gemma's gain is one more than its weight, a tensor of its own."""
    return FLOAT * model.hidden_size if model.family == "gemma" else 0


def _attention(model: Architecture, approach: Approach, *, fed: bool) -> int:
    """Bytes per position: query, keys, values, output, and a float32 a head for its softmax."""
    query, key = model.query_size, model.key_size
    kept = approach.width * 2 * (query + key) + FLOAT * model.num_attention_heads
    if model.family == "qwen3":
        for name, size in (("q_proj", query), ("k_proj", key)):
            trained = fed or approach.trains(name)
            kept += _norm(model, approach, size, size // model.width) if trained else 0
    return kept


def _gates(model: Architecture, approach: Approach, *, fed: bool) -> int:
    """Bytes per position: the gate before and after its activation, and what it is applied to."""
    gate, up = fed or approach.trains("gate_proj"), fed or approach.trains("up_proj")
    return approach.width * model.intermediate_size * (2 * gate + up)


def _inputs(
    approach: Approach, model: Architecture, names: tuple[str, ...], *, kept: bool, fed: bool
) -> int:
    """Bytes per position for projections of the same input; `kept` says that it is kept anyway.

    An adapter computes in float32: a bfloat16 input is copied for each, so is what its dropout
    leaves, and dropout keeps its mask (in float32, on a CPU) where the input needs a gradient.
    """
    trained = [m for m in model.matrices if m.name in names and approach.trains(m.name)]
    if not trained:
        return 0
    size = trained[0].inputs
    if approach.kind == "full":
        return 0 if kept else approach.width * size
    inner = FLOAT * approach.rank * len(trained)
    if approach.dropout:
        return inner + FLOAT * size * len(trained) * (1 + fed)
    if approach.weights == "float32":
        return inner + (0 if kept else FLOAT * size)
    return inner + FLOAT * size * len(trained)
