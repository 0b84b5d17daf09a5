"""Hidden states of two models, layer by layer.

The reference runs once and is kept; the candidate runs twice: freely, and with each stage replaced,
once it has been measured, by the reference's. In the second run an error cannot travel: each stage
shows what it alone does wrong, whatever came before. For its own noise, the reference runs again on
a few beginnings of the text: causal, so equal in exact arithmetic; another shape of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.comparison.trace import CompareTrace, StageCompared, TraceCompared
from pytest_modelqa.core.stages import StageStatistics
from pytest_modelqa.engines.answering import Model
from pytest_modelqa.engines.pair.base import Comparers, Pair
from pytest_modelqa.engines.tracing import Array, Stage, merged, statistics

Errors = NDArray[np.float64]

_LEAST = 2
"""Positions below which nothing attends to anything."""


def compare(pair: Pair, request: CompareTrace) -> TraceCompared | Failure:
    """Measure every stage that both models show, over all texts."""
    prompts = [_ids(pair.reference, text, request.positions) for text in request.texts]
    if not prompts or min(map(len, prompts)) < _LEAST:
        return Failure(cause="error", reason=f"a trace needs texts of at least {_LEAST} ids each")
    known = min(pair.candidate.n_ids, pair.reference.n_ids)
    if (highest := max(map(max, prompts))) >= known:
        return Failure(
            cause="error",
            reason=f"id {highest} of the reference is outside the smaller vocabulary of {known}",
        )
    gathered: dict[Stage, _Gathered] = {}
    unmatched: set[str] = set()
    for prompt in prompts:
        unmatched |= _measure(pair, prompt, gathered)
    if not gathered:
        return Failure(cause="unavailable", reason="the two engines show no stage in common")
    candidate, reference = pair.candidate.describe(), pair.reference.describe()
    return TraceCompared(
        texts=len(prompts),
        positions=sum(map(len, prompts)),
        stages=tuple(g.told(stage) for stage, g in gathered.items()),
        unmatched=tuple(sorted(unmatched)),
        candidate_engine=candidate.engine,
        reference_engine=reference.engine,
        dtype=candidate.dtype,
    )


def _ids(model: Model, text: str, most: int) -> list[int]:
    """What the reference makes of a text, cut to fit."""
    return model.tokenize(text, begin=True, special=True)[: min(most, model.n_ctx)]


@dataclass(slots=True)
class _Gathered:
    """One stage, a text at a time: errors and cosines are float64 (positions,)."""

    free: list[Errors] = field(default_factory=list)
    own: list[Errors] = field(default_factory=list)
    noise: list[Errors] = field(default_factory=list)
    cosine: list[Errors] = field(default_factory=list)
    candidate: list[StageStatistics] = field(default_factory=list)
    reference: list[StageStatistics] = field(default_factory=list)

    def told(self, stage: Stage) -> StageCompared:
        """All texts together."""
        peaks = [float(np.where(np.isnan(e), np.inf, e).max()) for e in self.free]
        text = int(np.argmax(peaks))
        errors = np.where(np.isnan(self.free[text]), np.inf, self.free[text])
        return StageCompared(
            block=stage.block,
            layer=stage.layer,
            error=_mean(self.free),
            own=_mean(self.own),
            worst=float(self.free[text].max()),
            text=text,
            at=int(errors.argmax()),
            noise=_mean(self.noise),
            cosine=float(np.concatenate(self.cosine).min()),
            profile=_profile(self.own),
            candidate=merged(self.candidate),
            reference=merged(self.reference),
        )


def _measure(pair: Pair, ids: list[int], gathered: dict[Stage, _Gathered]) -> set[str]:
    """Trace one text on both sides, and add what is common; names of stages that are not."""
    kept = _kept(pair.reference, ids)
    candidate: set[Stage] = set()

    def free(stage: Stage, values: Array) -> None:
        candidate.add(stage)
        if (expected := kept.get(stage)) is None:
            return
        into = gathered.setdefault(stage, _Gathered())
        into.free.append(relative_error(values, expected))
        into.cosine.append(_cosine(values, expected))
        into.candidate.append(statistics(stage, values))
        into.reference.append(statistics(stage, expected))

    def forced(stage: Stage, values: Array) -> Array | None:
        if (expected := kept.get(stage)) is None:
            return None
        gathered[stage].own.append(relative_error(values, expected))
        return expected if expected.shape == values.shape else None

    def again(stage: Stage, values: Array) -> None:
        if stage in gathered:
            gathered[stage].noise.append(relative_error(values, kept[stage][: len(values)]))

    pair.candidate.trace(ids, free)
    pair.candidate.trace(ids, forced)
    for length in {1, 3, len(ids) // 2}:
        pair.reference.trace(ids[:length], again)
    names = {f"candidate: {s.block} {s.layer}" for s in candidate - kept.keys()}
    return names | {f"reference: {s.block} {s.layer}" for s in kept.keys() - candidate}


def _kept(model: Model, ids: list[int]) -> dict[Stage, Array]:
    kept: dict[Stage, Array] = {}

    def keep(stage: Stage, values: Array) -> None:
        kept[stage] = values.copy()

    model.trace(ids, keep)
    return kept


def relative_error(values: Array, expected: Array) -> Errors:
    """||values - expected|| / ||expected|| of each position; NaN where the widths differ.

    Where the expected values are all 0, anything else is infinitely wrong.
    """
    if values.shape != expected.shape:
        return np.full(len(expected), np.nan)
    reference = expected.astype(np.float64)
    size = np.linalg.norm(reference, axis=1)
    apart = np.linalg.norm(values - reference, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((size == 0) & (apart == 0), 0.0, apart / size)


def _cosine(values: Array, expected: Array) -> Errors:
    if values.shape != expected.shape:
        return np.full(len(expected), np.nan)
    a, b = values.astype(np.float64), expected.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        product: Errors = (
            (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        )
        return product


def _mean(errors: Sequence[Errors]) -> float:
    """Root mean square over all positions of all texts."""
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def _profile(errors: Sequence[Errors]) -> tuple[float, ...]:
    """Root mean square at position 0, 1, 2-3, 4-7, ... of all texts."""
    longest = max(map(len, errors))
    bounds = [0, 1]
    while bounds[-1] < longest:
        bounds.append(2 * bounds[-1])
    parts = ([e[a:b] for e in errors] for a, b in pairwise(bounds))
    return tuple(_mean(part) for part in parts)


COMPARERS: Comparers = {CompareTrace: compare}
