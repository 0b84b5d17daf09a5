"""Edits of bytes that know nothing of a format: flips, numbers of extreme size, cuts, copies."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

EXTREMES = (
    0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x10000,
    0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, 1 << 63,
    (1 << 64) - 1, (1 << 64) - 8, (1 << 64) - 32,
)  # fmt: skip
"""Numbers at which widths, signs and products turn over."""
MAX_BYTES = 64 << 10
"""Mutated files stay small: what is large is found by what a header claims."""

Edit = Callable[[Random, bytearray], None]


def flip(dice: Random, data: bytearray) -> None:
    """One bit."""
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def put(dice: Random, data: bytearray) -> None:
    """One byte."""
    data[dice.randrange(len(data))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))


def number(dice: Random, data: bytearray) -> None:
    """An extreme number of 2, 4 or 8 bytes, little-endian."""
    width = dice.choice((2, 4, 8))
    at = dice.randrange(len(data))
    data[at : at + width] = (dice.choice(EXTREMES) % (1 << 8 * width)).to_bytes(width, "little")


def cut(dice: Random, data: bytearray) -> None:
    """Take a piece out."""
    at = dice.randrange(len(data))
    del data[at : at + 1 + dice.randrange(1 + len(data) // 8)]


def end(dice: Random, data: bytearray) -> None:
    """Cut the rest off."""
    del data[dice.randrange(len(data)) :]


def copy(dice: Random, data: bytearray) -> None:
    """Put a piece in a second time, somewhere."""
    at = dice.randrange(len(data))
    piece = data[at : at + 1 + dice.randrange(64)]
    where = dice.randrange(len(data) + 1)
    data[where:where] = piece * dice.choice((1, 1, 2, 16))


def noise(dice: Random, data: bytearray) -> None:
    """Put random bytes in."""
    where = dice.randrange(len(data) + 1)
    data[where:where] = dice.randbytes(1 + dice.randrange(16))


EDITS: tuple[Edit, ...] = (flip, put, number, cut, end, copy, noise)


def edited(dice: Random, data: bytes, most: int = 4) -> bytes:
    """The bytes after one to `most` edits."""
    made = bytearray(data)
    for _ in range(dice.randint(1, most)):
        if made:
            dice.choice(EDITS)(dice, made)
    return bytes(made[:MAX_BYTES])
