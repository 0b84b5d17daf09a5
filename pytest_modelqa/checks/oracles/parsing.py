"""What the parsers of the code oracles share."""

from __future__ import annotations


class NotCode(ValueError):
    """The text does not parse, or is prose that happens to; says where and why."""
