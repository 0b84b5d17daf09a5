"""Greedy continuations of two models.

The candidate writes, and the reference reads what it wrote in one pass: as in speculative decoding
(Y. Leviathan, M. Kalman, Y. Matias, ICML 2023) its argmax at every position says whether it would
have written the same. Only after a parting does it write by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    candidate = _Side(pair.candidate, prompt, request.steps, stops)
    candidate.finish()
    reference = _Side(pair.reference, prompt, request.steps, stops)
    parting, equal = _part(pair, reference, candidate)
    reference.finish()
    return GreedyCompared(
        prompt_tokens=len(prompt),
        equal_steps=equal,
        reference=reference.told(pair.reference),
        candidate=candidate.told(pair.reference),
        parting=parting,
    )


@dataclass(slots=True)
class _Side:
    """One model on its way. `rows` are the logits that each step of its own chose from."""

    model: Model
    prompt: list[int]
    steps: int
    stops: frozenset[int]
    ids: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    stopped_by: int = -1
    nonfinite_step: int = -1
    taken: int = 0

    @property
    def ended(self) -> bool:
        """By a stop id, by NaN or Inf, or after the last step."""
        return self.stopped_by >= 0 or self.nonfinite_step >= 0 or self.taken >= self.steps

    @property
    def chosen(self) -> list[int]:
        """Every choice, a stop id among them."""
        return [*self.ids, self.stopped_by] if self.stopped_by >= 0 else self.ids

    def take(self, row: Row) -> int:
        """Choose an id (argmax, the lowest on ties); -1 where the logits are not finite."""
        if not np.isfinite(row).all():
            self.nonfinite_step = self.taken
            return -1
        chosen = int(row.argmax())
        self.taken += 1
        if chosen in self.stops:
            self.stopped_by = chosen
        else:
            self.ids.append(chosen)
        return chosen

    def finish(self) -> None:
        """Write alone to the end."""
        if self.ended:
            return
        feed, fed = self.model.sequence(), [*self.prompt, *self.ids]
        while not self.ended:
            self.rows.append(feed(fed))
            self.take(self.rows[-1])
            fed = self.ids[-1:]

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
    """Let the reference read what the candidate wrote, to the first choice that is not its own."""
    chosen = candidate.chosen
    for step, row in enumerate(_reading(reference, candidate.ids)):
        if step >= len(chosen):
            break  # the candidate's logits were not finite here
        u = reference.take(row)
        if u < 0:
            return None, step
        if u != chosen[step]:
            rows = row, candidate.rows[step]
            return _parting(pair, (u, chosen[step]), rows, step), step
    return None, reference.taken


def _reading(reference: _Side, written: list[int]) -> Iterator[Row]:
    """The reference's logits behind the prompt, and behind each id that was written, in turn."""
    first, last = len(reference.prompt) - 1, len(reference.prompt) + len(written)
    at = 0
    for rows in reference.model.logits_in([*reference.prompt, *written], _ROWS):
        for row in rows:
            if first <= at < min(last, first + reference.steps):
                yield row
            at += 1


_ROWS = 64
"""Positions at a time: 12 MB of logits for a vocabulary of 49,000."""


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
