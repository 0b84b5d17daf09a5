"""A scan of stored values without dequantising: NaN, Inf and dead tensors show in the scales.

Reads at the speed of memory; only norms and block scales are looked at in quantised files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SCALES: dict[str, tuple[int, tuple[int, ...]]] = {
    "Q4_0": (18, (0,)),
    "Q4_1": (20, (0, 2)),
    "Q5_0": (22, (0,)),
    "Q5_1": (24, (0, 2)),
    "Q8_0": (34, (0,)),
    "Q2_K": (84, (80, 82)),
    "Q3_K": (110, (108,)),
    "Q4_K": (144, (0, 2)),
    "Q5_K": (176, (0, 2)),
    "Q6_K": (210, (208,)),
}
"""Bytes a block, and where its float16 scales (d, m or dmin) stand; source: ggml-common.h."""

_EXPONENT = {2: 0x7C00, 4: 0x7F800000}
_BF16_EXPONENT = 0x7F80
_CHUNK = 1 << 17
"""Words at a time: they stay in a core's cache between the mask and the maximum."""


class Values:
    """The bytes of a file, mapped."""

    def __init__(self, path: Path) -> None:
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r")

    def scan(self, kind: str, offset: int, count: int) -> tuple[int, bool] | None:
        """(number of non-finite values or scales, whether all are zero) of `count` bytes.

        None where this scan does not know the type.
        """
        kind = kind.upper()
        if kind in ("F32", "F16", "BF16"):
            return self._floats(kind, offset, count)
        if kind in SCALES:
            return self._blocks(kind, offset, count)
        return None

    def _floats(self, kind: str, offset: int, count: int) -> tuple[int, bool]:
        width = 4 if kind == "F32" else 2
        words = self._bytes[offset : offset + count].view(f"<u{width}")
        exponent = _BF16_EXPONENT if kind == "BF16" else _EXPONENT[width]
        bad, peak = 0, 0
        buffer = np.empty(min(_CHUNK, words.size), dtype=words.dtype)
        for at in range(0, words.size, _CHUNK):
            piece = words[at : at + _CHUNK]
            unsigned = np.bitwise_and(piece, (1 << (8 * width - 1)) - 1, out=buffer[: piece.size])
            peak = max(peak, highest := int(unsigned.max()))
            if highest >= exponent:  # without its sign, what is not finite is the largest
                bad += int(np.count_nonzero(unsigned >= exponent))
        return bad, not peak

    def _blocks(self, kind: str, offset: int, count: int) -> tuple[int, bool]:
        size, places = SCALES[kind]
        blocks = self._bytes[offset : offset + count].reshape(-1, size)
        bad, dead = 0, True
        for at in places:
            words = np.ascontiguousarray(blocks[:, at : at + 2]).view("<u2")
            bad += int(np.count_nonzero((words & _EXPONENT[2]) == _EXPONENT[2]))
            dead = dead and not _any_value(words, 1 << 15)
        return bad, dead and not bad


def row_peaks(
    path: Path, kind: str, offset: int, count: int, rows: int
) -> NDArray[np.float32] | None:
    """The size of each of `rows` rows, shape (rows,): its largest |value|, or |block scale|.

    None where this scan does not know the type.
    """
    raw = np.memmap(path, dtype=np.uint8, mode="r")[offset : offset + count]
    kind = kind.upper()
    if kind == "BF16":
        values = (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    elif kind in ("F32", "F16"):
        values = raw.view("<f4" if kind == "F32" else "<f2")
    elif kind in SCALES:
        size, places = SCALES[kind]
        first = raw.reshape(-1, size)[:, places[0] : places[0] + 2]
        values = np.ascontiguousarray(first).view("<f2")
    else:
        return None
    peaks: NDArray[np.float32] = np.abs(values.reshape(rows, -1)).max(axis=1).astype(np.float32)
    return peaks


def _any_value(words: NDArray[np.unsignedinteger], sign: int) -> bool:
    """Whether anything but +0 and -0 is stored."""
    return bool(np.any(words & (sign - 1)))
