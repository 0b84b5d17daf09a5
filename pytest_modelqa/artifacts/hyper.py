"""Hyper-parameters that must fit each other, whatever the architecture's tensors are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_modelqa.artifacts.facts import Facts

_MAX_CONTEXT = 1 << 31
_EPSILON = (1e-13, 1e-2)
"""Norm epsilons in use are 1e-6 to 1e-5; 1e-12 (BERT) is the least, 1e-2 would already distort."""

LARGEST = 1 << 63
"""No size is larger: it is a 64-bit number in every format."""

GGUF_KEYS = {
    "width": "embedding_length",
    "heads": "attention.head_count",
    "kv_heads": "attention.head_count_kv",
    "head": "attention.key_length",
    "rope": "rope.dimension_count",
    "base": "rope.freq_base",
    "context": "context_length",
    "epsilon": "attention.layer_norm_rms_epsilon",
}
HF_KEYS = {
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head": "head_dim",
    "rope": "",
    "base": "rope_theta",
    "context": "max_position_embeddings",
    "epsilon": "rms_norm_eps",
}


def lint_hyper(facts: Facts, values: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Compare what is given; `names` maps our words to the keys of `values`.

    What is not given, or is given per layer, is not compared.
    """
    given = {ours: _number(values.get(key)) for ours, key in names.items()}
    _heads(facts, given, names)
    _within(facts, given, names)


def _number(value: Any) -> float | None:
    """JSON's integers have no end: one that no format stores counts as infinite."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    if isinstance(value, float) or -LARGEST <= value <= LARGEST:
        return value
    return float("-inf" if value < 0 else "inf")


def _heads(facts: Facts, given: Mapping[str, float | None], names: Mapping[str, str]) -> None:
    width, heads, kv, head, rope = (
        given[k] for k in ("width", "heads", "kv_heads", "head", "rope")
    )
    if not heads or heads < 1:
        return
    if kv is not None:
        sound = 1 <= kv <= heads and not heads % kv
        message = f"{kv} key-value heads do not divide {heads} heads"
        facts.holds(sound, "CONFIG-HEADS", names["kv_heads"], message)
    if width and head is None:
        message = f"{heads} heads do not divide a width of {width}"
        facts.holds(not width % heads, "CONFIG-HEADS", names["heads"], message)
    size = head or (width // heads if width else None)
    if rope is not None and size:
        message = f"rotates {rope} dimensions of heads that have {size}"
        sound = 0 <= rope <= size and not rope % 2
        facts.holds(sound, "CONFIG-ROPE", names["rope"], message)


def _within(facts: Facts, given: Mapping[str, float | None], names: Mapping[str, str]) -> None:
    if (context := given["context"]) is not None:
        message = f"a context of {context} positions"
        facts.holds(1 <= context <= _MAX_CONTEXT, "CONFIG-CONTEXT", names["context"], message)
    if (epsilon := given["epsilon"]) is not None:
        message = f"a norm epsilon of {epsilon}, outside {_EPSILON[0]} to {_EPSILON[1]}"
        sound = _EPSILON[0] <= epsilon <= _EPSILON[1]
        facts.holds(sound, "CONFIG-EPSILON", names["epsilon"], message)
    if (base := given["base"]) is not None:
        message = f"a rotary base of {base}"
        facts.holds(1 < base < float("inf"), "CONFIG-ROPE", names["base"], message)
