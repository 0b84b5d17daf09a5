"""Hidden states of one forward pass, watched stage by stage, the same way for every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.stages import Block, StageStatistics

Array = NDArray[np.float32]
Watch = Callable[["Stage", Array], "Array | None"]
"""Hears of each stage once, in execution order, with its values (positions, width).

An array that it returns, of the same shape, replaces the stage's values for all that follows: so
a model can be run on another model's hidden states.
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A place in the computation; `layer` counts from 0, and is -1 outside of layers."""

    block: Block
    layer: int = -1


def statistics(stage: Stage, values: Array) -> StageStatistics:
    """Measure one stage in float64."""
    finite = np.isfinite(values)
    lost = int(values.size - finite.sum())
    kept = np.where(finite, values, 0.0).astype(np.float64)
    count = max(1, values.size - lost)
    rms = float(np.sqrt((kept**2).sum() / count))
    sound = rms > 0 and lost == 0
    varying = kept - kept.mean(axis=0)
    return StageStatistics(
        block=stage.block,
        layer=stage.layer,
        positions=values.shape[0],
        width=values.shape[1],
        nonfinite=lost,
        rms=rms,
        typical=float(np.median(np.sqrt((kept**2).mean(axis=1)))),
        mean=float(kept.sum() / count),
        max_abs=float(np.abs(kept).max(initial=0.0)),
        across=float(np.sqrt((varying**2).mean()) / rms) if sound else float("nan"),
        within=float(kept.std(axis=1).min() / rms) if sound else float("nan"),
    )


def merged(parts: Sequence[StageStatistics]) -> StageStatistics:
    """One stage over several texts; `across` and `within` are the least of any text.

    `typical` is the mean of the texts' medians.
    """
    counts = np.array([p.positions * p.width - p.nonfinite for p in parts], dtype=np.float64)
    weights = counts / max(1.0, counts.sum())
    return replace(
        parts[0],
        positions=sum(p.positions for p in parts),
        nonfinite=sum(p.nonfinite for p in parts),
        rms=float(np.sqrt(weights @ np.array([p.rms**2 for p in parts]))),
        typical=float(weights @ np.array([p.typical for p in parts])),
        mean=float(weights @ np.array([p.mean for p in parts])),
        max_abs=max(p.max_abs for p in parts),
        across=float(np.min([p.across for p in parts])),
        within=float(np.min([p.within for p in parts])),
    )


def top1(logits: Array) -> tuple[int, ...]:
    """The argmax of each position, -1 where it holds NaN."""
    best = np.where(np.isnan(logits).any(axis=1), -1, np.nan_to_num(logits).argmax(axis=1))
    return tuple(int(i) for i in best)
