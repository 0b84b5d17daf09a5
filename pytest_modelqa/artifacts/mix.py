"""Which types a model's tensors have, against the one type that the file declares.

llama.cpp's quantiser silently takes another type where rows do not divide into K-quant blocks of
256 weights: on a model 576 wide most of a "Q4_K_M" is Q5_0. The pairs are those of its
`llama-quant.cpp`; the numbers of `general.file_type` are `llama_ftype` of its `llama.h`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_modelqa.artifacts.facts import Facts
from pytest_modelqa.artifacts.gguf import TYPES, Tensor

FILE_TYPES = {
    0: ("F32", "F32"), 1: ("F16", "F16"), 2: ("Q4_0", "Q4_0"), 3: ("Q4_1", "Q4_1"),
    7: ("Q8_0", "Q8_0"), 8: ("Q5_0", "Q5_0"), 9: ("Q5_1", "Q5_1"), 10: ("Q2_K", "Q2_K"),
    11: ("Q3_K_S", "Q3_K"), 12: ("Q3_K_M", "Q3_K"), 13: ("Q3_K_L", "Q3_K"),
    14: ("Q4_K_S", "Q4_K"), 15: ("Q4_K_M", "Q4_K"), 16: ("Q5_K_S", "Q5_K"),
    17: ("Q5_K_M", "Q5_K"), 18: ("Q6_K", "Q6_K"), 25: ("IQ4_NL", "IQ4_NL"),
    30: ("IQ4_XS", "IQ4_XS"), 32: ("BF16", "BF16"),
}  # fmt: skip
"""`general.file_type`: its name, and the type that most of its matrices are to have."""

FALLBACKS = {
    "Q2_K": "IQ4_NL", "Q3_K": "IQ4_NL", "IQ4_XS": "IQ4_NL", "Q4_K": "Q5_0", "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
}  # fmt: skip
_K_BLOCK = 256
_BLOCKS = {t.name: t.weights for t in TYPES.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Tensors and bytes by type. `fallback` is the share of the bytes of all matrices.

    `declared` is empty where the file declares no type that is known here.
    """

    declared: str
    tensors: dict[str, int]
    bytes: dict[str, int]
    bits_per_weight: float
    fallback: float


def mix_of(tensors: Sequence[Tensor], file_type: object) -> Mix:
    """Count types; `file_type` is the value of `general.file_type`, or None."""
    count = Counter(t.type for t in tensors)
    size: Counter[str] = Counter()
    for tensor in tensors:
        size[tensor.type] += tensor.bytes
    weights = sum(t.weights for t in tensors)
    name, base = _declared(file_type)
    matrices = [t for t in tensors if is_matrix(t)]
    whole = sum(t.bytes for t in matrices)
    fallen = sum(t.bytes for t in matrices if is_fallback(t, base))
    return Mix(
        declared=name,
        tensors=dict(count.most_common()),
        bytes=dict(size.most_common()),
        bits_per_weight=8 * sum(size.values()) / weights if weights else 0.0,
        fallback=fallen / whole if whole else 0.0,
    )


def lint_mix(facts: Facts, tensors: Sequence[Tensor], file_type: object) -> None:
    """Declared type against actual types: a fallback warns, a type that nothing has is an error."""
    name, base = _declared(file_type)
    if not name:
        return
    where = "general.file_type"
    matrices = [t for t in tensors if is_matrix(t)]
    mix = mix_of(tensors, file_type)
    has = any(t.type == base or is_fallback(t, base) for t in matrices)
    message = f"declares {name}, but no matrix is {base}: {_listed(mix)}"
    facts.holds(has or not matrices, "MIX-DECLARED", where, message)
    message = (
        f"declares {name}, but {mix.fallback:.0%} of the matrices' bytes fell back, because their "
        f"rows do not divide into blocks of {_K_BLOCK}: {_listed(mix)}, "
        f"{mix.bits_per_weight:.2f} bits per weight"
    )
    facts.holds(not mix.fallback, "MIX-FALLBACK", where, message, "warning")


def _declared(file_type: object) -> tuple[str, str]:
    return FILE_TYPES.get(file_type, ("", "")) if isinstance(file_type, int) else ("", "")


def is_matrix(tensor: Tensor) -> bool:
    """Whether a tensor has rows to quantise; vectors stay in F32."""
    return len(tensor.shape) > 1 and tensor.shape[1] > 1


def is_fallback(tensor: Tensor, base: str) -> bool:
    """Not a K-quant although a K-quant was asked for, and its rows explain why."""
    if _BLOCKS.get(base) != _K_BLOCK or not tensor.shape[0] % _K_BLOCK:
        return False
    return tensor.type in {*FALLBACKS.values(), "F16"}


def _listed(mix: Mix) -> str:
    whole = sum(mix.bytes.values()) or 1
    return ", ".join(f"{kind} {size / whole:.0%}" for kind, size in mix.bytes.items())
