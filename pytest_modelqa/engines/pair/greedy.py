"""Greedy continuations of two models, one step of each at a time until they part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.answer import Failure, Finish
from pytest_modelqa.core.comparison.greedy import (
    CompareGreedy,
    Continued,
    GreedyCompared,
    Parting,
)
from pytest_modelqa.engines.answering import Model
from pytest_modelqa.engines.generation import Steps
from pytest_modelqa.engines.pair.base import Comparers, Pair
from pytest_modelqa.engines.pair.prompting import ids_of, too_long, unknown_ids

Row = NDArray[np.float32]


def compare_greedy(pair: Pair, request: CompareGreedy) -> GreedyCompared | Failure:
    """Both continuations; after they part, each goes on alone, to be read beside the other."""
    prompt = list(request.ids) or ids_of(pair.reference, request.text, chat=request.chat)
    if not prompt:
        return Failure(cause="unavailable", reason="the prompt has no tokens")
    if (failure := too_long(pair, len(prompt) + request.steps)) is not None:
        return failure
    if unknown := unknown_ids(pair, prompt):
        return _unknown(len(prompt), unknown)
    stops = frozenset((*pair.reference.stop_ids, *pair.candidate.stop_ids))
    sides = [_Side(m, prompt, request.steps, stops) for m in (pair.reference, pair.candidate)]
    parting, equal = _part(pair, sides[0], sides[1])
    for side in sides:
        while not side.ended:
            side.step()
    reference, candidate = (side.told(pair.reference) for side in sides)
    return GreedyCompared(
        prompt_tokens=len(prompt),
        equal_steps=equal,
        reference=reference,
        candidate=candidate,
        parting=parting,
    )


@dataclass(slots=True)
class _Side:
    """One model on its way. `row` are the logits that the last `step` chose from."""

    model: Model
    prompt: list[int]
    steps: int
    stops: frozenset[int]
    ids: list[int] = field(default_factory=list)
    row: Row = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    stopped_by: int = -1
    nonfinite_step: int = -1
    taken: int = 0
    _feed: Steps = field(init=False)

    def __post_init__(self) -> None:
        self._feed = self.model.sequence()

    @property
    def ended(self) -> bool:
        """By a stop id, by NaN or Inf, or after the last step."""
        return self.stopped_by >= 0 or self.nonfinite_step >= 0 or self.taken >= self.steps

    def step(self) -> int:
        """Choose an id (argmax, the lowest on ties); -1 where the logits are not finite."""
        self.row = self._feed(self.ids[-1:] or self.prompt)
        if not np.isfinite(self.row).all():
            self.nonfinite_step = self.taken
            return -1
        chosen = int(self.row.argmax())
        self.taken += 1
        if chosen in self.stops:
            self.stopped_by = chosen
        else:
            self.ids.append(chosen)
        return chosen

    def told(self, speaker: Model) -> Continued:
        """The continuation, as `speaker` reads it."""
        finish: Finish = "stop" if self.stopped_by >= 0 else "length"
        return Continued(
            ids=tuple(self.ids),
            text=_text(speaker, self.ids),
            finish=finish,
            stopped_by=self.stopped_by,
            nonfinite_step=self.nonfinite_step,
        )


def _part(pair: Pair, reference: _Side, candidate: _Side) -> tuple[Parting | None, int]:
    """Step both until they choose differently, or one ends; how many steps were alike."""
    equal = 0
    while not (reference.ended or candidate.ended):
        u, v = reference.step(), candidate.step()
        if -1 in (u, v):
            break
        if u != v:
            return _parting(pair, (u, v), (reference.row, candidate.row), equal), equal
        equal += 1
    return None, equal


def _parting(pair: Pair, chosen: tuple[int, int], rows: tuple[Row, Row], step: int) -> Parting:
    (u, v), (ours, theirs) = chosen, rows
    return Parting(
        step=step,
        reference_choice=u,
        candidate_choice=v,
        reference_piece=_text(pair.reference, [u]),
        candidate_piece=_text(pair.reference, [v]),
        reference_margin=_difference(ours, u, ours, v),
        candidate_margin=_difference(theirs, v, theirs, u),
        delta_u=_difference(theirs, u, ours, u),
        delta_v=_difference(theirs, v, ours, v),
    )


def _difference(a: Row, i: int, b: Row, j: int) -> float:
    """a[i] - b[j]; infinite where there is no such id."""
    return float(a[i]) - float(b[j]) if i < len(a) and j < len(b) else inf


def _text(model: Model, ids: Sequence[int]) -> str:
    """What the ids say; ids that the model does not have are written as <id N>."""
    if any(not 0 <= i < model.n_ids for i in ids):
        return " ".join(f"<id {i}>" for i in ids)
    return model.decode(ids, keep_special=True)


def _unknown(tokens: int, unknown: tuple[int, ...]) -> GreedyCompared:
    """Nothing could be asked: the candidate has no row for what the prompt is made of."""
    nothing = Continued(ids=(), text="", finish="length", stopped_by=-1, nonfinite_step=-1)
    return GreedyCompared(
        prompt_tokens=tokens, equal_steps=0, reference=nothing, candidate=nothing, unknown=unknown
    )


COMPARERS: Comparers = {CompareGreedy: compare_greedy}
