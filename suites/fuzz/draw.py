"""Where the dice come from: a target, a seed and an index give the same draw on every machine."""

from __future__ import annotations

from random import Random


def dice(target: str, seed: int, index: int) -> Random:
    """The dice of one mutated file. Text seeds are hashed with SHA-512 by the standard library."""
    return Random(f"{target}:{seed}:{index}")  # noqa: S311 - repeatable, not secret
