"""A byte-level BPE tokenizer out of GGUF metadata, as a `tokenizer.json` and its configuration.

The pre-tokenizer decides where merges may not cross; GGUF names it by `tokenizer.ggml.pre` alone.
The table below gives the regular expressions that llama.cpp applies for those names
(`llama-vocab.cpp`); a name that is not listed is refused rather than guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_modelqa.core.errors import Refused

_CONTROL, _USER_DEFINED = 3, 4

_GPT2: list[dict[str, Any]] = [
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
]
_DIGITS: dict[str, Any] = {"type": "Digits", "individual_digits": True}
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def _split(pattern: str) -> list[dict[str, Any]]:
    bytes_only = {**_GPT2[0], "use_regex": False}
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    return [split, bytes_only]


PRE_TOKENIZERS: dict[str, list[dict[str, Any]]] = {
    "gpt-2": _GPT2,
    "smollm": [_DIGITS, *_GPT2],
    "starcoder": [_DIGITS, *_GPT2],
    "refact": [_DIGITS, *_GPT2],
    "llama-bpe": _split(_LLAMA3),
    "qwen2": _split(_QWEN2),
}


def pre_tokenizer_name(tokenizer: Mapping[str, Any]) -> str:
    """What llama.cpp calls the pre-tokenizer of a tokenizer.json; empty where it has no name here.

    Names that stand for the same steps are one to llama.cpp, too: the first is given.
    """
    found = tokenizer.get("pre_tokenizer") or {}
    steps = found.get("pretokenizers", [found])
    plain = [_essence(step) for step in steps]
    for name, known in PRE_TOKENIZERS.items():
        if plain == [_essence(step) for step in known]:
            return name
    return ""


def _essence(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step without what changes offsets only, and not where text is cut."""
    return {k: v for k, v in step.items() if k != "trim_offsets"}


def _added_ends(meta: Mapping[str, Any]) -> dict[str, Any] | None:
    """The post-processor that puts BOS before a text, EOS behind it, where the file says so."""
    ends = {
        end: meta.get(f"tokenizer.ggml.{end}_token_id")
        for end in ("bos", "eos")
        if meta.get(f"tokenizer.ggml.add_{end}_token")
    }
    if not ends:
        return None
    texts = {}
    for end, number in ends.items():
        if not isinstance(number, int):
            raise Refused(
                f"the file adds {end.upper()} to texts and does not say which token it is"
            )
        texts[end] = meta["tokenizer.ggml.tokens"][number]

    def around(sequence: str) -> list[dict[str, Any]]:
        kind = int(sequence == "B")
        pieces = [{"Sequence": {"id": sequence, "type_id": kind}}]
        if "bos" in texts:
            pieces.insert(0, {"SpecialToken": {"id": texts["bos"], "type_id": kind}})
        if "eos" in texts:
            pieces.append({"SpecialToken": {"id": texts["eos"], "type_id": kind}})
        return pieces

    return {
        "type": "TemplateProcessing",
        "single": around("A"),
        "pair": [*around("A"), *around("B")],
        "special_tokens": {
            text: {"id": text, "ids": [ends[end]], "tokens": [text]} for end, text in texts.items()
        },
    }


def tokenizer_json(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The tokenizer file. Raises Refused for other models than byte-level BPE of a known `pre`."""
    model, pre = meta.get("tokenizer.ggml.model"), meta.get("tokenizer.ggml.pre")
    if model != "gpt2" or pre not in PRE_TOKENIZERS:
        raise Refused(
            f"tokenizer {model!r} with pre-tokenizer {pre!r} cannot be rebuilt from GGUF; "
            f"known: gpt2 with {', '.join(sorted(PRE_TOKENIZERS))}"
        )
    tokens = meta["tokenizer.ggml.tokens"]
    kinds = meta.get("tokenizer.ggml.token_type", ())
    added = [
        {
            "id": i,
            "content": tokens[i],
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": kind == _CONTROL,
        }
        for i, kind in enumerate(kinds)
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": PRE_TOKENIZERS[str(pre)]},
        "post_processor": _added_ends(meta),
        "decoder": {**_GPT2[0], "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": pre == "llama-bpe",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [m.split(" ", 1) for m in meta["tokenizer.ggml.merges"]],
        },
    }


def tokenizer_config(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Special tokens, template and class of the tokenizer."""
    tokens = meta["tokenizer.ggml.tokens"]
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": meta.get(f"{meta['general.architecture']}.context_length", 0),
        "clean_up_tokenization_spaces": False,
    }
    for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("padding", "pad"), ("unknown", "unk")):
        key = f"tokenizer.ggml.{ours}_token_id"
        if key in meta:
            config[f"{theirs}_token"] = tokens[meta[key]]
    if "tokenizer.chat_template" in meta:
        config["chat_template"] = meta["tokenizer.chat_template"]
    return config
