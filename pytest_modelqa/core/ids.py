"""Canonical JSON, content keys and derived seeds: the same on every machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """ASCII JSON, sorted keys, no spaces. Raises ValueError on NaN or Inf: not representable."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    """SHA-256 of the UTF-8 text, in lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def content_key(*parts: Any) -> str:
    """The first 32 hex digits (128 bits) of the SHA-256 of the parts' canonical JSON."""
    return digest(canonical(list(parts)))[:32]


def derived_seed(seed: int, case_id: str) -> int:
    """A case's own seed in [0, 2**31), from the playbook's seed and the case's id."""
    return int(digest(f"{seed}:{case_id}")[:8], 16) & 0x7FFFFFFF
