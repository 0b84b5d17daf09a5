"""Who killed the worker: several requests were under way, and one of them is to blame."""

from __future__ import annotations

from collections.abc import Sequence


def halves(suspects: Sequence[int]) -> tuple[list[int], ...]:
    """Two parts to try apart; nothing for a single suspect, which is guilty."""
    if len(suspects) < 2:  # noqa: PLR2004 - a half needs two
        return ()
    middle = len(suspects) // 2
    return list(suspects[:middle]), list(suspects[middle:])
