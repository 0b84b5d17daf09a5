"""Configurations that nothing can be built of, and what our own code says to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from pytest_modelqa.core.answer import Failure
from pytest_modelqa.engines.base import Engine, Settings
from pytest_modelqa.runtime.opening import Opening, ToOpen
from suites.models import SIZES, tiny
from training import plan_memory
from training.memory import MemoryPlan

VALID: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 1000,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
"""What a config.json says of a small Llama."""

INVALID: dict[str, dict[str, Any]] = {
    "zero hidden size": {"hidden_size": 0},
    "negative layers": {"num_hidden_layers": -1},
    "a fraction of a layer": {"num_hidden_layers": 2.5},
    "text for a number": {"vocab_size": "1000"},
    "a truth value for a number": {"hidden_size": True},
    "infinite": {"intermediate_size": float("inf")},
    "no number": {"intermediate_size": float("nan")},
    "beyond 64 bits": {"vocab_size": 2**64},
    "nothing": {"hidden_size": None},
    "a list": {"num_attention_heads": [4]},
    "heads that do not divide": {"num_attention_heads": 5, "num_key_value_heads": 5},
    "key heads that do not divide": {"num_key_value_heads": 3},
    "more key heads than heads": {"num_key_value_heads": 8},
    "an odd head": {"head_dim": 15},
    "an unknown family": {"model_type": "perceiver"},
    "no family": {"model_type": None},
    "tied to nothing": {"tie_word_embeddings": "yes"},
}


def planned(**changed: Any) -> MemoryPlan:
    """The plan of the valid configuration with these keys changed."""
    return plan_memory({**VALID, **changed})


SPOILT: dict[str, dict[str, Any]] = {
    "zero hidden size": {"hidden_size": 0},
    "twice the hidden size": {"hidden_size": 32},
    "negative hidden size": {"hidden_size": -16},
    "heads that do not divide": {"num_attention_heads": 3, "head_dim": None},
    "key heads that do not divide": {"num_key_value_heads": 3},
    "no heads": {"num_attention_heads": 0},
    "a layer that is not stored": {"num_hidden_layers": 3},
    "forty layers": {"num_hidden_layers": 40},
    "a vocabulary of a million": {"vocab_size": 1_000_000},
    "a wrong inner size": {"intermediate_size": 21},
    "a rotary base of zero": {"rope_theta": 0.0, "rope_parameters": None},
    "a rotary base of zero, as transformers 5 writes it": {
        "rope_parameters": {"rope_type": "default", "rope_theta": 0.0}
    },
    "a negative norm epsilon": {"rms_norm_eps": -1e-6},
    "no positions": {"max_position_embeddings": 0},
    "text for a number": {"hidden_size": "sixteen"},
    "a list for a number": {"num_hidden_layers": [2]},
    "a family that nobody knows": {"model_type": "perceiver9", "architectures": ["Perceiver9"]},
}
"""What a config.json says that its weights, or any weights, contradict."""


def model_folder(folder: Path) -> Path:
    """A tiny Llama with a tokenizer of as many words, as transformers saves them."""
    words = {f"w{i}": i for i in range(SIZES["vocab_size"])}
    special = dict(zip(("bos_token", "eos_token", "unk_token"), words, strict=False))
    tokenizer = Tokenizer(WordLevel(words, special["unk_token"]))
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    tiny("llama").save_pretrained(folder)
    return folder


def spoil(folder: Path, changed: dict[str, Any]) -> None:
    """Change these keys of config.json; None removes one."""
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **changed}
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def opened(folder: Path) -> Engine | Failure:
    """The folder in the real engine, on the way that a worker takes: inspected, then opened."""
    settings = Settings(
        backend="cpu", threads=1, n_ctx=64, arrays=folder / "arrays", memory_bytes=1 << 28
    )
    what = ToOpen(engine="transformers", artifact=folder, format="safetensors", settings=settings)
    return Opening(what, lambda _: None).engine(threads=1)
