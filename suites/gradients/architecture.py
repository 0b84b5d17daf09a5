"""A small model of the architecture that an artifact names, with everything but its sizes kept.

The class is transformers' own: by `architectures` of config.json, by the metadata of a GGUF file.
Activation, biases, norms, rotation, windows, soft caps, tied weights and the relation of heads to
key heads stay as the artifact says; widths, layers, heads, experts and the vocabulary become tiny.
No weight is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from pytest_modelqa.core.errors import Refused, Unavailable

HIDDEN, INNER, HEADS, VOCABULARY, EXPERTS, WINDOW = 16, 20, 4, 24, 3, 3
LENGTH = 5
"""Tokens of a sequence: more than the window of a sliding attention."""

_SIZES: dict[str, int] = {
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "vocab_size": VOCABULARY,
    "num_attention_heads": HEADS,
    "max_position_embeddings": 64,
    "moe_intermediate_size": 12,
    "shared_expert_intermediate_size": 12,
    "num_experts": EXPERTS,
    "num_local_experts": EXPERTS,
    "n_routed_experts": EXPERTS,
    "num_experts_per_tok": EXPERTS,
    "sliding_window": WINDOW,
    "ffn_hidden_size": INNER,
    "n_inner": INNER,
    "rotary_dim": 4,
    "q_lora_rank": 6,
    "kv_lora_rank": 6,
    "qk_nope_head_dim": 4,
    "qk_rope_head_dim": 4,
    "v_head_dim": 4,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "state_size": 4,
    "time_step_rank": 2,
    "linear_key_head_dim": 4,
    "linear_value_head_dim": 4,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}
"""By the names that transformers' configurations use; set where the configuration has a number.

All experts are chosen for each token: a choice that flips under a small step has no derivative.
"""

_TOKENS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None}
_PER_LAYER = ("layer_types", "mlp_layer_types", "no_rope_layers")


def small_model(artifact: Path, *, layers: int, dtype: torch.dtype) -> Any:
    """A causal language model in eval mode with eager attention, its parameters as they come.

    Raises Refused where the artifact names no architecture, and Unavailable where transformers has
    not that architecture, or cannot build it this small.
    """
    given = _configuration(artifact)
    try:
        small = small_configuration(given, layers=layers)
        small._experts_implementation = "eager"  # grouped products know no float64
        made = _class_of(given)._from_config(small, attn_implementation="eager", dtype=dtype)
        made = made.to(dtype).eval()
        with torch.no_grad():
            made(input_ids=torch.zeros(1, LENGTH, dtype=torch.long), use_cache=False)
    except Unavailable:
        raise
    except Exception as error:
        raise Unavailable(
            f"a small {given.model_type} cannot be built and run: {type(error).__name__}: {error}",
            where=str(artifact),
            remedy="python -m pytest suites/gradients  # the families that are known to work",
        ) from error
    return made


def _configuration(artifact: Path) -> PretrainedConfig:
    """As the artifact states it; a folder of safetensors, or a GGUF file."""
    where = artifact / "config.json" if artifact.is_dir() else artifact
    if artifact.is_dir():
        _stated(where)
    elif artifact.suffix != ".gguf":
        raise Refused("is no model file: neither a folder nor GGUF", where=str(artifact))
    folder = artifact if artifact.is_dir() else artifact.parent
    named = {} if artifact.is_dir() else {"gguf_file": artifact.name}
    try:
        found: PretrainedConfig = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **named
        )
    except (ValueError, KeyError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Unavailable(
            f"transformers {transformers.__version__} has no such architecture: {first}",
            where=str(where),
            remedy="python -m pip install --upgrade transformers",
        ) from error
    return found


def _stated(file: Path) -> None:
    """Raises Refused for a configuration that cannot be read."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"cannot be read: {error}", where=str(file)) from error
    if not isinstance(data, dict) or not isinstance(data.get("model_type"), str):
        raise Refused("names no architecture: there is no text `model_type`", where=str(file))


def _class_of(given: PretrainedConfig) -> Any:
    """The class that the configuration names, else the causal language model of its type."""
    for name in given.architectures or ():
        found = getattr(transformers, name, None)
        if found is not None and hasattr(found, "_from_config"):
            return found
    try:
        return AutoModelForCausalLM._model_mapping[type(given)]
    except KeyError as error:
        raise Unavailable(
            f"{given.model_type} is no causal language model of transformers",
            remedy="leave out `gradients:` for this model",
        ) from error


def small_configuration(given: PretrainedConfig, *, layers: int) -> PretrainedConfig:
    """The same configuration with tiny sizes; raises Unavailable for one of several models."""
    if given.sub_configs:
        raise Unavailable(
            f"{given.model_type} is made of several models ({', '.join(given.sub_configs)}); "
            "gradients are checked of models of one",
            remedy="leave out `gradients:` for this model",
        )
    data = given.to_dict()
    names = {value: key for key, value in given.attribute_map.items()}
    data |= {key: _size(names.get(key, key), value) for key, value in data.items()}
    data[given.attribute_map.get("num_hidden_layers", "num_hidden_layers")] = layers
    data |= {key: value for key, value in _TOKENS.items() if key in data}
    data |= dict(_heads(given, data))
    data |= {key: data[key][:layers] for key in _PER_LAYER if isinstance(data.get(key), list)}
    for key in ("rope_parameters", "rope_scaling"):
        if isinstance(data.get(key), dict):
            data[key] = _rotation(data[key], data)
    left_out = ("quantization_config", "transformers_version")
    return type(given).from_dict({k: v for k, v in data.items() if k not in left_out})


def _size(name: str, value: Any) -> Any:
    """The small value of a key; dropout is none."""
    if "dropout" in name or name.endswith("pdrop"):
        return 0.0
    return _SIZES.get(name, value) if _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _heads(given: PretrainedConfig, data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Key heads and the width of a head, in the relation that the configuration has."""
    heads = getattr(given, "num_attention_heads", 0)
    if _is_number(data.get("num_key_value_heads")):
        theirs = data["num_key_value_heads"]
        yield "num_key_value_heads", 1 if theirs == 1 else HEADS if theirs == heads else 2
    if "qk_rope_head_dim" in data:
        yield "head_dim", data["qk_rope_head_dim"]
    elif _is_number(data.get("head_dim")):
        fits = data["head_dim"] * heads == given.hidden_size
        yield "head_dim", HIDDEN // HEADS if fits else HIDDEN // HEADS + 2


def _rotation(rope: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """A rotation's factors, one for each pair of dimensions, as many as the small head has."""
    share = rope.get("partial_rotary_factor", data.get("partial_rotary_factor")) or 1.0
    width = data.get("head_dim") or HIDDEN // HEADS
    pairs = max(1, math.floor(width * share) // 2)
    return {
        key: _rotation(value, data)
        if isinstance(value, dict)
        else value[:pairs]
        if isinstance(value, list)
        else value
        for key, value in rope.items()
    }
