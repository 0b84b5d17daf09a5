"""Which positions count for what.

A mean is one over texts as they are put: a system prompt that all share is the same in each, and so
adds nothing to the error, which is clustered by text. Where positions are counted as observations
of their own, such a beginning counts once, however often it is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_modelqa.core.comparison.logits import LogitsCompared

Compared = Mapping[str, LogitsCompared]
"""What was measured, by text."""


def every(seen: Compared, metric: str) -> list[Sequence[float]]:
    """A metric by text, at all positions."""
    return [values for a in seen.values() if (values := getattr(a, metric))]


def fresh(seen: Compared, metric: str) -> list[Sequence[float]]:
    """A metric by text, without the positions of a beginning that an earlier text had as well."""
    groups = []
    before: list[tuple[int, ...]] = []
    for answer in seen.values():
        start = max((common(answer.ids, ids) for ids in before), default=0)
        groups.append(getattr(answer, metric)[start:])
        before.append(answer.ids)
    return [g for g in groups if g]


def equal_top1(seen: Compared) -> list[list[bool]]:
    """Whether both sides' best ids are the same one, by text."""
    pairs = zip(fresh(seen, "reference_top1"), fresh(seen, "candidate_top1"), strict=True)
    return [[x == y for x, y in zip(a, b, strict=True)] for a, b in pairs]


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many leading ids are equal."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((n for n, (x, y) in pairs if x != y), min(len(a), len(b)))
