"""What data weighs: tokens of each set, how long its records are, what is cut, what is padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from training.data.collate import Collator
from training.data.encode import Examples, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTokens:
    """Tokens of one set, after truncation; lengths are of prompt and response together."""

    name: str
    records: int
    prompt: int
    response: int
    median: int
    p95: int
    longest: int
    truncated: int
    dropped: int

    @property
    def total(self) -> int:
        """Prompt and response."""
        return self.prompt + self.response


def tokens_of(name: str, found: Sequence[Sample | None]) -> SetTokens:
    """Count the tokens of a set that was encoded; None is a record that was dropped."""
    samples = [s for s in found if s is not None]
    lengths = np.array([len(s.ids) for s in samples] or [0], dtype=np.int64)
    prompt = sum(s.asked for s in samples)
    return SetTokens(
        name=name,
        records=len(found),
        prompt=prompt,
        response=int(lengths.sum()) - prompt,
        median=int(np.percentile(lengths, 50, method="inverted_cdf")),
        p95=int(np.percentile(lengths, 95, method="inverted_cdf")),
        longest=int(lengths.max()),
        truncated=sum(s.cut > 0 for s in samples),
        dropped=len(found) - len(samples),
    )


def padding_share(rows: Examples, collator: Collator, batch: int, seed: int) -> float:
    """The part of all positions of one epoch that is padding, in batches of shuffled rows."""
    lengths: list[int] = rows.lengths.tolist()
    Random(seed).shuffle(lengths)  # noqa: S311 - an order, not a secret
    batches = [lengths[i : i + batch] for i in range(0, len(lengths), batch)]
    positions = sum(collator.width(part) * len(part) for part in batches)
    return 1 - sum(lengths) / positions
