"""How a candidate is stored, in words: which types, and which of them nobody asked for."""

from __future__ import annotations

from collections import Counter

from pytest_modelqa.artifacts.mix import FALLBACKS
from pytest_modelqa.core.comparison.tensors import TensorsCompared

_K_BLOCK = 256
_K_QUANTS = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")
_LEAST = 0.05
"""Share of the weights below which a type is not worth a word."""


def storage_told(seen: TensorsCompared) -> str:
    """`Q5_1 82 % (rows of 576 do not divide into blocks of 256 ...), Q8_0 18 %` of the weights."""
    weights: Counter[str] = Counter()
    for tensor in seen.tensors:
        if len(tensor.candidate_shape) > 1:
            weights[tensor.candidate_type.upper()] += tensor.weights
    whole = sum(weights.values())
    if not whole:
        return ""
    shares = [(kind, count / whole) for kind, count in weights.most_common()]
    told = ", ".join(f"{kind} {share:.0%}" for kind, share in shares if share >= _LEAST)
    return f"{told} of the weights{_fallback(seen)}"


def _fallback(seen: TensorsCompared) -> str:
    """K-quants need rows of whole blocks; llama.cpp silently stores the others in another type."""
    kinds = {t.candidate_type.upper() for t in seen.tensors}
    widths = sorted({
        t.candidate_shape[-1] for t in seen.tensors
        if len(t.candidate_shape) > 1 and t.candidate_shape[-1] % _K_BLOCK
        and t.candidate_type.upper() in FALLBACKS.values()
    })  # fmt: skip
    if not widths or not kinds & set(_K_QUANTS):
        return ""
    return (
        f": a fallback, because rows of {' and '.join(map(str, widths))} do not divide into the "
        f"blocks of {_K_BLOCK} that K-quants have"
    )
