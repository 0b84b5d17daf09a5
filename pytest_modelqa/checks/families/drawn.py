"""The table of families, and their examples, drawn once a process."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module

from pytest_modelqa.checks.families import arithmetic, code, edge, formatting
from pytest_modelqa.checks.families.family import Example, Family

FAMILIES: dict[str, Callable[[int], Family]] = {
    "arithmetic": arithmetic.family,
    "code": code.family,
    "formatting": formatting.family,
    "edge": edge.family,
}


@lru_cache(maxsize=64)
def family_of(name: str, room: int) -> Family:
    """The family by name. `room` is how many tokens its longest prompts may take."""
    return FAMILIES[name](room)


@lru_cache(maxsize=64)
def drawn(name: str, seed: int, count: int, room: int) -> tuple[Example, ...]:
    """Exactly `count` different examples: the same on every machine for the same arguments.

    A longer drawing begins with the shorter one. Raises ValueError where there are not so many.
    """
    drawing = import_module(f"{__package__}.drawing")
    examples: tuple[Example, ...] = drawing.draw(family_of(name, room), seed, count)
    return examples


@lru_cache(maxsize=256)
def questions(
    name: str, room: int, start: Example, known: frozenset[tuple[str, bool]], most: int
) -> tuple[Example, ...]:
    """What to ask next to shrink `start`; cached, because every round repeats those before it."""
    drawing = import_module(f"{__package__}.drawing")
    found: tuple[Example, ...] = drawing.questions(family_of(name, room), start, dict(known), most)
    return found
