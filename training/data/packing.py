"""Several short samples in one sequence, so that little of a batch is padding.

Best fit decreasing: the longest sample first, each into the fullest sequence that still has room.
No sample is split, and none sees another: the collator's mask and positions keep them apart.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence

from training.data.encode import Examples, Sample


def packed(samples: Sequence[Sample], length: int) -> Examples:
    """Pack samples into sequences of at most `length` tokens, in the order of their first one."""
    rows: list[list[int]] = []
    spaces: list[int] = []  # the distinct spaces that are left, ascending
    open_rows: defaultdict[int, list[int]] = defaultdict(list)
    for at in sorted(range(len(samples)), key=lambda i: (-len(samples[i].ids), i)):
        need = len(samples[at].ids)
        where = bisect_left(spaces, need)
        if where < len(spaces):
            space = spaces[where]
            row = open_rows[space].pop()
            if not open_rows[space]:
                del spaces[where]
        else:
            space, row = length, len(rows)
            rows.append([])
        rows[row].append(at)
        left = space - need
        if not open_rows[left]:
            insort(spaces, left)
        open_rows[left].append(row)
    ordered = sorted(tuple(sorted(row)) for row in rows)
    return Examples(samples=tuple(samples), rows=tuple(ordered))
