"""JSON of a file's author: keys that occur twice are told, as readers differ in what they take."""

from __future__ import annotations

import json
from typing import Any


def parsed(text: bytes) -> tuple[Any, list[str]]:
    """The value, and each key that occurs again in its object.

    Raises ValueError, RecursionError.
    """
    twice: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                twice.append(key)
            found[key] = value
        return found

    return json.loads(text.decode(), object_pairs_hook=unique), twice
