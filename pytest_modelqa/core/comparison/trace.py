"""Hidden states of two models on the same ids, layer by layer.

An error is ||c - r|| / ||r|| of one position, over its channels; over several positions it is the
root of the mean square. Stages and their statistics are those of `core.stages`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_modelqa.core.answer import Compared
from pytest_modelqa.core.request import Comparison
from pytest_modelqa.core.stages import Block, StageStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTrace(Comparison):
    """Hidden states of both models for each text, tokenized by the reference.

    At most `positions` ids of a text are used.
    """

    texts: tuple[str, ...]
    positions: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCompared:
    """One stage of both models, over all positions of all texts.

    `error` is the candidate's, running freely on the ids. `own` is its error where the candidate
    was given the reference's values of every earlier stage: what this stage alone adds. `worst` is
    the largest error of one position, at position `at` of text `text`. `noise` is the reference's
    own error against itself, on beginnings of the text: causal, so 0 in exact arithmetic.
    `cosine` is the least of any position. `profile` is `own` at the first position, the second, and
    over ever doubled ranges of positions: 1, 2, 3-4, 5-8, 9-16 ...
    NaN in either model, or another width, makes the errors NaN.
    """

    block: Block
    layer: int
    error: float
    own: float
    worst: float
    text: int
    at: int
    noise: float
    cosine: float
    profile: tuple[float, ...]
    candidate: StageStatistics
    reference: StageStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceCompared(Compared):
    """All stages that both engines show, in execution order.

    `unmatched` names those that one side alone shows (`candidate: gate 3`). `dtype` is what the
    candidate stores, in the words of its engine.
    """

    texts: int
    positions: int
    stages: tuple[StageCompared, ...]
    unmatched: tuple[str, ...]
    candidate_engine: str
    reference_engine: str
    dtype: str


REQUESTS: tuple[type[Comparison], ...] = (CompareTrace,)
ANSWERS: tuple[type[Compared], ...] = (TraceCompared,)
