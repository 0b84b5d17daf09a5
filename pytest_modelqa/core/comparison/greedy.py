"""Greedy continuations of two models, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_modelqa.core.answer import Compared, Finish
from pytest_modelqa.core.request import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareGreedy(Comparison):
    """Up to `steps` greedy ids from the same prompt, whose ids the reference's tokenizer makes.

    Of `ids` as they are, or of a `text`: raw, or with `chat` a user's turn in the reference's
    template.
    """

    text: str = ""
    ids: tuple[int, ...] = ()
    chat: bool = False
    steps: int = 24

    def __post_init__(self) -> None:
        if bool(self.text) == bool(self.ids):
            raise ValueError("a comparison takes either ids or a text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """What one side wrote: `text` decodes `ids` with the reference's tokenizer.

    `stopped_by` is the stop id that ended it, -1 where none did. `nonfinite_step` is the step
    whose logits held NaN or Inf, -1 for none; the text ends there.
    """

    ids: tuple[int, ...]
    text: str
    finish: Finish
    stopped_by: int
    nonfinite_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """The first step at which both chose differently: the reference u, the candidate v.

    `reference_margin` is z(u) - z(v) of the reference, `candidate_margin` z(v) - z(u) of the
    candidate, `delta_u` and `delta_v` what the candidate's logits have more than the reference's.
    Infinite where an id is outside a vocabulary. `*_piece` are the ids as text.
    """

    step: int
    reference_choice: int
    candidate_choice: int
    reference_piece: str
    candidate_piece: str
    reference_margin: float
    candidate_margin: float
    delta_u: float
    delta_v: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GreedyCompared(Compared):
    """Both continuations, and where they part; `equal_steps` were chosen alike before that.

    A stop id counts as a choice. Either side's stop ids end both.
    """

    prompt_tokens: int
    equal_steps: int
    reference: Continued
    candidate: Continued
    parting: Parting | None = None
    unknown: tuple[int, ...] = ()


REQUESTS: tuple[type[Comparison], ...] = (CompareGreedy,)
ANSWERS: tuple[type[Compared], ...] = (GreedyCompared,)
