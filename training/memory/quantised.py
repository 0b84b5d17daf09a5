"""The bytes of NF4, as bitsandbytes stores it (QLoRA, Dettmers et al. 2023, sections 3 and 4).

A matrix is cut into blocks of 64 numbers, across rows. A number takes four bits, a block a scale in
float32. Double quantisation keeps a byte for a scale instead, a float32 for 256 scales, and the
mean of the scales. Each matrix also has its own tables: 16 levels, and 256 levels of the scales.
"""

from __future__ import annotations

from dataclasses import dataclass

BLOCK = 64
"""Numbers that share a scale."""

NESTED_BLOCK = 256
"""Scales that share a scale of their own."""

_FLOAT = 4
_LEVELS = 16
_NESTED_LEVELS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """Bytes of a quantised matrix: its codes, its scales, and the tables of levels."""

    codes: int
    scales: int
    tables: int

    @property
    def total(self) -> int:
        """All bytes."""
        return self.codes + self.scales + self.tables


def nf4(numbers: int, *, double: bool) -> Quantised:
    """The bytes of a matrix of so many numbers."""
    blocks = -(-numbers // BLOCK)
    codes = -(-numbers // 2)
    if not double:
        return Quantised(codes=codes, scales=blocks * _FLOAT, tables=_LEVELS * _FLOAT)
    mean = _FLOAT
    nested = -(-blocks // NESTED_BLOCK) * _FLOAT
    return Quantised(
        codes=codes, scales=blocks + nested + mean, tables=(_LEVELS + _NESTED_LEVELS) * _FLOAT
    )
