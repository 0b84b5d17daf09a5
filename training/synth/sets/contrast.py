"""What a pair of requests is made of that differ in one phrase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Frames with `$way`, which is filled from `broken` or from `kept`; `$other` is of the other.

    `$what` is drawn from `what`. Frames of `only_kept` are right whatever stands in them.
    """

    frames: Sequence[str]
    broken: Sequence[str]
    kept: Sequence[str]
    what: Sequence[str] = ("$entity",)
    only_kept: Sequence[str] = ()
