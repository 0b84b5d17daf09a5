"""What the parsers of the code oracles share."""

from __future__ import annotations

from typing import Any


class NotCode(ValueError):
    """The text does not parse, or is prose that happens to; says where and why."""


def no_constant(text: str) -> Any:
    """What `json` calls for NaN and Infinity, which are no JSON. Raises ValueError."""
    raise ValueError(f"{text} is no JSON")
