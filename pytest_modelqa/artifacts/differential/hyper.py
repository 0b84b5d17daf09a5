"""What an artifact says about itself, as text by name, whatever its format.

Defaults are those of transformers' configuration classes and of llama.cpp's loader; what neither
states nor has a default is empty, and is not compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_modelqa.artifacts.differential.stored import Stored
from pytest_modelqa.artifacts.tokenizer import PRE_TOKENIZERS, pre_tokenizer_name

_CONTROL, _USER_DEFINED = 3, 4
_BYTE_LEVEL = "gpt2"
_HASH = 16
_ROPE_BASE = 10000.0


class Stated(NamedTuple):
    """Values that a side gives a parameter (several ids may end a text), and where."""

    values: tuple[str, ...]
    where: str

    @property
    def text(self) -> str:
        """All of them; empty where nothing is stated."""
        return " or ".join(self.values)


def stated(model: Stored) -> dict[str, Stated]:
    """Every parameter of an artifact, by name."""
    if model.format == "gguf":
        found = _of_gguf(model)
    else:
        config = dict(model.files.get("config.json") or _of_apr(model.metadata))
        config |= config.get("text_config") or {}
        found = _of_config(config, model) | _of_tokenizer(model, config)
    for part in ("attn_q", "ffn_up"):
        biased = any(n.endswith(f"{part}.bias") for n in model.tensors)
        found[f"{part} bias"] = _one(str(biased).lower(), "the tensors")
    return found


def _one(value: Any, where: str) -> Stated:
    if value is None or isinstance(value, (dict, list)):
        return Stated((), where)
    if isinstance(value, bool):
        return Stated((str(value).lower(),), where)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Stated(_layers(value), where)
    return Stated((f"{value:.7g}" if isinstance(value, float) else str(value),), where)


def _layers(values: Iterable[Any]) -> tuple[str, ...]:
    """A number per layer: one number where all are the same."""
    listed = [str(v) for v in values]
    return (listed[0] if len(set(listed)) == 1 else " ".join(listed),) if listed else ()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]


_GGUF = {
    "layers": "block_count",
    "hidden size": "embedding_length",
    "feed-forward size": "feed_forward_length",
    "heads": "attention.head_count",
    "context": "context_length",
    "logit scale": "logit_scale",
    "final softcap": "final_logit_softcapping",
    "attention softcap": "attn_logit_softcapping",
    "sliding window": "attention.sliding_window",
    "experts": "expert_count",
}


def _of_gguf(model: Stored) -> dict[str, Stated]:
    meta, architecture = model.metadata, model.architecture

    def of(key: str) -> Any:
        return meta.get(f"{architecture}.{key}")

    def from_(key: str, default: Any = None) -> Stated:
        found = of(key)
        return _one(default if found is None else found, f"{architecture}.{key}")

    heads, width = of("attention.head_count"), of("embedding_length")
    head = of("attention.key_length") or _ratio(width, heads)
    tokens = meta.get("tokenizer.ggml.tokens")
    vocabulary = of("vocab_size") or (len(tokens) if isinstance(tokens, tuple) else None)
    epsilon = next((k for k in _EPSILONS if of(k) is not None), _EPSILONS[0])
    found = {name: from_(key) for name, key in _GGUF.items()}
    return found | {
        "architecture": _one(architecture or None, "general.architecture"),
        "key-value heads": from_("attention.head_count_kv", heads),
        "head size": _one(head, f"{architecture}.attention.key_length"),
        "vocabulary": _one(vocabulary, f"{architecture}.vocab_size"),
        "norm epsilon": from_(epsilon),
        "rotary base": from_("rope.freq_base", _ROPE_BASE),
        "rotary dimensions": from_("rope.dimension_count", head),
        "rotary scaling": _one(_gguf_scaling(model), f"{architecture}.rope.scaling.type"),
        "rotary factor": from_("rope.scaling.factor"),
        **_gguf_tokens(meta),
    }


_EPSILONS = ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon")


def _ratio(width: Any, heads: Any) -> int | None:
    return width // heads if isinstance(width, int) and isinstance(heads, int) and heads else None


def _gguf_scaling(model: Stored) -> str:
    """llama3's scaling is stored as a tensor of factors, the others by name."""
    named = model.metadata.get(f"{model.architecture}.rope.scaling.type")
    if "rope_freqs.weight" in model.tensors:
        return "llama3"
    return named if isinstance(named, str) else "none"


def _gguf_tokens(meta: Mapping[str, Any]) -> dict[str, Stated]:
    def of(key: str) -> Stated:
        return _one(meta.get(f"tokenizer.ggml.{key}"), f"tokenizer.ggml.{key}")

    def flag(key: str) -> Stated:
        found = meta.get(f"tokenizer.ggml.{key}")
        return _one(None if found is None else bool(found), f"tokenizer.ggml.{key}")

    found = {
        "bos id": of("bos_token_id"),
        "eos id": of("eos_token_id"),
        "pad id": of("padding_token_id"),
        "adds bos": flag("add_bos_token"),
        "adds eos": flag("add_eos_token"),
        "tokenizer": of("model"),
        "pre-tokenizer": of("pre"),
    }
    kinds = meta.get("tokenizer.ggml.token_type")
    if meta.get("tokenizer.ggml.model") != _BYTE_LEVEL or kinds is None:
        return found
    added = sum(1 for kind in kinds if kind in {_CONTROL, _USER_DEFINED})
    used = [t for t, k in zip(meta.get("tokenizer.ggml.tokens", ()), kinds, strict=False)
            if k != _UNUSED]  # fmt: skip
    merges = meta.get("tokenizer.ggml.merges") or ()
    return found | {
        "added tokens": _one(added, "tokenizer.ggml.token_type"),
        "token list": _one(_digest("\n".join(used)), "tokenizer.ggml.tokens"),
        "merges": _one(_digest("\n".join(merges)), "tokenizer.ggml.merges"),
    }


_UNUSED = 5
"""What a converter calls the ids that pad a vocabulary."""

_CONFIG = {
    "layers": "num_hidden_layers",
    "hidden size": "hidden_size",
    "feed-forward size": "intermediate_size",
    "heads": "num_attention_heads",
    "context": "max_position_embeddings",
    "vocabulary": "vocab_size",
    "logit scale": "logit_scale",
    "final softcap": "final_logit_softcapping",
    "attention softcap": "attn_logit_softcapping",
    "experts": "num_local_experts",
}


def _of_config(config: Mapping[str, Any], model: Stored) -> dict[str, Stated]:
    heads, width = config.get("num_attention_heads"), config.get("hidden_size")
    head = config.get("head_dim") or _ratio(width, heads)
    part = config.get("partial_rotary_factor", 1.0)
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rope = rope if isinstance(rope, dict) else {}
    scaling = rope.get("rope_type") or rope.get("type") or "none"
    epsilon = next((k for k in _HF_EPSILONS if k in config), _HF_EPSILONS[0])
    base = rope.get("rope_theta", config.get("rope_theta", _ROPE_BASE if config else None))
    windowed = config.get("use_sliding_window", True)
    found = {name: _one(config.get(key), f"config.json {key}") for name, key in _CONFIG.items()}
    return found | {
        "architecture": _one(model.architecture or None, "config.json model_type"),
        "key-value heads": _one(config.get("num_key_value_heads", heads),
                                "config.json num_key_value_heads"),
        "head size": _one(head, "config.json head_dim"),
        "norm epsilon": _one(_number(config.get(epsilon)), f"config.json {epsilon}"),
        "rotary base": _one(_number(base), "config.json rope_theta"),
        "rotary dimensions": _one(int(head * part) if head else None, "config.json head_dim"),
        "rotary scaling": _one("none" if scaling == "default" else scaling,
                               "config.json rope_scaling"),
        "rotary factor": _one(_number(rope.get("factor")), "config.json rope_scaling"),
        "sliding window": _one(config.get("sliding_window") if windowed else None,
                               "config.json sliding_window"),
    }  # fmt: skip


_HF_EPSILONS = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon")


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None


def _of_apr(meta: Mapping[str, Any]) -> dict[str, Any]:
    """APR's own words for what config.json says, of files that keep none."""
    renamed = {"num_hidden_layers": "num_layers", "num_attention_heads": "num_heads",
               "num_key_value_heads": "num_kv_heads"}  # fmt: skip
    same = ("hidden_size", "intermediate_size", "vocab_size", "max_position_embeddings",
            "rope_theta", "rms_norm_eps", "head_dim", "model_type")  # fmt: skip
    pairs = {**renamed, **{k: k for k in same}}
    return {ours: meta[theirs] for ours, theirs in pairs.items() if meta.get(theirs) is not None}


def _of_tokenizer(model: Stored, config: Mapping[str, Any]) -> dict[str, Stated]:
    """Ids as all three files state them: each may name another one that ends a text."""
    tokenizer = model.files.get("tokenizer.json") or {}
    settings = model.files.get("tokenizer_config.json") or {}
    generation = model.files.get("generation_config.json") or {}
    vocabulary = _vocabulary(tokenizer)
    found = {}
    for mark in ("bos", "eos", "pad"):
        said = [vocabulary.get(_content(settings.get(f"{mark}_token")))]
        said += [c.get(f"{mark}_token_id") for c in (config, generation)]
        flat = [i for s in said for i in (s if isinstance(s, list) else [s]) if type(i) is int]
        texts = tuple(dict.fromkeys(map(str, flat)))
        found[f"{mark} id"] = Stated(texts, f"tokenizer_config.json {mark}_token, config.json")
    if not tokenizer:
        return found
    found |= _ends(tokenizer, settings)
    kind = (tokenizer.get("model") or {}).get("type")
    if kind != "BPE" or not pre_tokenizer_name(tokenizer):
        return found
    by_id = sorted((i, text) for text, i in vocabulary.items())
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    return found | {
        "tokenizer": _one(_BYTE_LEVEL, "tokenizer.json model"),
        "pre-tokenizer": _one(pre_tokenizer_name(tokenizer), "tokenizer.json pre_tokenizer"),
        "added tokens": _one(len(tokenizer.get("added_tokens") or ()), "tokenizer.json"),
        "token list": _one(_digest("\n".join(text for _, text in by_id)), "tokenizer.json"),
        "merges": _one(_digest("\n".join(merges)), "tokenizer.json"),
    }


def _vocabulary(tokenizer: Mapping[str, Any]) -> dict[str, int]:
    listed = (tokenizer.get("model") or {}).get("vocab")
    found = dict(listed) if isinstance(listed, dict) else {}
    added = {t["content"]: t["id"] for t in tokenizer.get("added_tokens") or () if "id" in t}
    return {text: i for text, i in (found | added).items() if type(i) is int}


def _content(token: Any) -> str:
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else ""


def _ends(tokenizer: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Stated]:
    """Whether BOS and EOS are added: by the tokenizer's own steps, which decide."""
    steps = _specials(tokenizer.get("post_processor") or {})
    found = {}
    for mark in ("bos", "eos"):
        token = _content(settings.get(f"{mark}_token"))
        added = bool(token) and token in steps
        found[f"adds {mark}"] = _one(added, "tokenizer.json post_processor")
    return found


def _specials(step: Mapping[str, Any]) -> set[str]:
    """Special tokens that a post-processor puts around one text."""
    pieces = step.get("single") or ()
    own = {p["SpecialToken"]["id"] for p in pieces if isinstance(p, dict) and "SpecialToken" in p}
    return own.union(*(_specials(s) for s in step.get("processors") or ()))


def same_pre_tokenizer(one: str, two: str) -> bool:
    """Whether two names stand for the same steps; a name that is not known may be an alias."""
    known = PRE_TOKENIZERS
    if one not in known or two not in known:
        return True
    return known[one] == known[two]
