"""Whole numbers that come from outside: checked once, exact ever after.

A size is an integer of at most 2**63 - 1, the largest dimension that torch can hold. Products of
sizes are Python integers, so they never overflow.
"""

from __future__ import annotations

from pytest_modelqa.core.errors import UsageError

LARGEST = 2**63 - 1

_REMEDY = "modelqa memory --help"

_LONGEST = 60
"""Characters of a value in a message."""

_MOST_BITS = 128
"""Integers that are longer are described: Python refuses to print those of 4300 digits."""


def whole(name: str, value: object, *, least: int) -> int:
    """The value, if it is a whole number from `least` to 2**63 - 1.

    Raises:
        UsageError: it is something else: a fraction, a truth value, text, too small or too large.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{name} is {shown(value)}, not a whole number", remedy=_REMEDY)
    if not least <= value <= LARGEST:
        said = f"{name} is {shown(value)}, not between {least} and 2**63 - 1"
        raise UsageError(said, remedy=_REMEDY)
    return value


def at_least_one(name: str, value: object) -> int:
    """The value, if it is a whole number of at least 1."""
    return whole(name, value, least=1)


def shown(value: object) -> str:
    """The value in a message, cut where it is long."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"an integer of {value.bit_length()} bits"
    try:
        text = repr(value)
    except ValueError:  # a container of such integers
        return type(value).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
