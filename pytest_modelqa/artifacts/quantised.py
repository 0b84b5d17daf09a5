"""What a quantised GGUF file really holds, against what its name says; from the header alone.

Bounds: a matrix takes at least the bits of the type that was asked for, and at most those of Q8_0,
or of F16 where its rows do not divide into blocks of 32; vectors are F32. llama.cpp's mixes give
some matrices more than the name says, never less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.convert.kinds import QUANTISER_TYPES
from pytest_modelqa.artifacts.gguf import TYPES, Tensor
from pytest_modelqa.artifacts.mix import FILE_TYPES, Mix, is_fallback, is_matrix, mix_of
from pytest_modelqa.core.errors import Refused

LADDER = ("q4_k_m", "q5_k_m", "q6_k", "q8_0")
"""From the smallest to the largest: the next one is tried where a budget does not hold."""
_NOMINAL = 0.5
"""A type that less than half of the matrices' bytes have is one in name only."""
_SMALL_BLOCK = 32
_BITS = {kind.name: 8 * kind.bytes / kind.weights for kind in TYPES.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """`lowest` and `highest` are bits a weight that the asked type allows for these tensors.

    `fallbacks` are the matrices that could not have it, with the type that they have instead.
    """

    asked: str
    declared: str
    bytes: int
    weights: int
    mix: Mix
    lowest: float
    highest: float
    fallbacks: tuple[tuple[str, str], ...]

    @property
    def nominal(self) -> bool:
        """Whether the name says what most of the matrices' bytes are not."""
        return self.mix.fallback > _NOMINAL

    @property
    def problem(self) -> str:
        """Why the file is not what was asked for; empty where it is."""
        bits = self.mix.bits_per_weight
        if self.declared.lower() != self.asked:
            return f"declares {self.declared or 'no type'}, asked for was {self.asked}"
        if not self.lowest <= bits <= self.highest:
            return (
                f"{bits:.3f} bits per weight; {self.asked} takes {self.lowest:.3f} to "
                f"{self.highest:.3f} for these tensors"
            )
        if not bits * self.weights / 8 <= self.bytes:
            return f"{self.bytes:,} bytes cannot hold its tensors"
        return ""


def examine(file: Path, asked: str) -> Quantised:
    """Read the header of a file that was quantised to `asked`. Raises Refused, OSError."""
    header = gguf.read(file)
    tensors = header.tensors
    if not tensors or asked not in QUANTISER_TYPES:
        raise Refused(f"no tensors, or no type {asked!r}", where=str(file))
    declared, base = FILE_TYPES.get(header.metadata.get("general.file_type", -1), ("", ""))
    weights = sum(t.weights for t in tensors)
    return Quantised(
        asked=asked,
        declared=declared,
        bytes=file.stat().st_size,
        weights=weights,
        mix=mix_of(tensors, header.metadata.get("general.file_type")),
        lowest=_bits(tensors, base, least=True) / weights,
        highest=_bits(tensors, base, least=False) / weights,
        fallbacks=tuple((t.name, t.type) for t in tensors if is_matrix(t) and is_fallback(t, base)),
    )


def rungs(first: str) -> tuple[str, ...]:
    """The types to try, the asked one first; those of the ladder with more bits follow."""
    if first in LADDER:
        return LADDER[LADDER.index(first) :]
    more = _of(first)
    return (first, *(rung for rung in LADDER if _of(rung) > more))


def described(seen: Quantised) -> dict[str, Any]:
    """For JSON."""
    return {
        "bits_per_weight": seen.mix.bits_per_weight,
        "bounds": [seen.lowest, seen.highest],
        "tensors": seen.mix.tensors,
        "bytes_by_type": seen.mix.bytes,
        "fallback_share": seen.mix.fallback,
        "fallbacks": [{"tensor": name, "type": kind} for name, kind in seen.fallbacks],
        "nominal_only": seen.nominal,
    }


def _of(quantisation: str) -> float:
    number = QUANTISER_TYPES[quantisation]
    return _BITS.get(FILE_TYPES[number][1], 0.0) if number in FILE_TYPES else 0.0


def _bits(tensors: Sequence[Tensor], base: str, *, least: bool) -> float:
    """Of all tensors together, at least or at most."""
    asked = _BITS.get(base, 0.0)
    total = 0.0
    for tensor in tensors:
        if not is_matrix(tensor):
            bits = _BITS[tensor.type] if least else _BITS["F32"]
        elif least:
            bits = asked
        else:
            whole = not tensor.shape[0] % _SMALL_BLOCK
            bits = max(asked, _BITS["Q8_0"] if whole else _BITS["F16"])
        total += bits * tensor.weights
    return total
