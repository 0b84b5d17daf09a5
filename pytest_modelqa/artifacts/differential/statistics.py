"""Statistics and digests of the values of both artifacts' tensors."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from math import isfinite, sqrt
from pathlib import Path

import numpy as np

from pytest_modelqa.artifacts.differential.naming import GENERATED, in_order
from pytest_modelqa.artifacts.differential.reading import CHUNK, Source, decodable
from pytest_modelqa.artifacts.differential.stored import open_both
from pytest_modelqa.artifacts.differential.tensors import asked_for
from pytest_modelqa.core.comparison.tensors import (
    CompareStatistics,
    StatisticsCompared,
    StatisticsPair,
    TensorStatistics,
)

_THREADS = 2


def compare_statistics(
    candidate: Path, reference: Path, request: CompareStatistics
) -> StatisticsCompared:
    """Read every tensor of both sides once. Raises Refused, OSError."""
    ours, theirs = open_both(candidate, reference)
    names = sorted((ours.tensors.keys() | theirs.tensors.keys()) - GENERATED, key=in_order)
    wanted = [n for n in names if asked_for(n, request.filter)]

    def pair(name: str) -> StatisticsPair:
        sides = (statistics(s.tensors.get(name)) for s in (ours, theirs))
        return StatisticsPair(name=name, candidate=next(sides), reference=next(sides))

    with ThreadPoolExecutor(_THREADS) as pool:
        found = tuple(pool.map(pair, wanted))
    return StatisticsCompared(
        tensors=found,
        unmapped=(*ours.unmapped, *theirs.unmapped),
        filtered=len(names) - len(wanted),
    )


def statistics(source: Source | None) -> TensorStatistics:
    """Of one tensor, in canonical order; of no weights where there is none, or none is decoded."""
    if source is None or not decodable(source.type):
        return TensorStatistics(weights=0, type=source.type if source else "")
    total = squares = 0.0
    low, high = float("inf"), float("-inf")
    zeros = bad = 0
    digest = hashlib.sha256()
    with np.errstate(all="ignore"):  # NaN and Inf are counted
        for values in source.chunks(max(CHUNK // source.cols // source.unit, 1) * source.unit):
            sum_of = float(values.sum(dtype=np.float64))
            total, squares = total + sum_of, squares + float(np.vdot(values, values))
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            zeros += values.size - int(np.count_nonzero(values))
            if not isfinite(sum_of):
                bad += values.size - int(np.count_nonzero(np.isfinite(values)))
            digest.update(np.ascontiguousarray(values, dtype="<f4").data)
    count = source.weights
    mean = total / count
    return TensorStatistics(
        weights=count,
        type=source.type,
        mean=mean,
        std=sqrt(max(squares / count - mean * mean, 0.0)) if isfinite(squares) else float("nan"),
        min=low,
        max=high,
        zero=zeros / count,
        nonfinite=bad,
        values="" if bad else digest.hexdigest(),
    )
