"""Logits of two models on the same ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_modelqa.core.answer import Compared
from pytest_modelqa.core.request import Comparison

Side = Literal["reference", "candidate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareLogits(Comparison):
    """Logits at every position of the same ids, which the reference's tokenizer makes.

    Of `ids` as they are, or of a `text`: raw, or with `chat` a user's turn in the reference's
    template. `length` cuts to so many ids (0: all); a shorter text is refused, not stretched.
    """

    text: str = ""
    ids: tuple[int, ...] = ()
    chat: bool = False
    length: int = 0
    top_k: int = 10

    def __post_init__(self) -> None:
        _require_one(self.text, self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitsCompared(Compared):
    """One number a position: the tuples are as long as `ids`, but for what is said below.

    `kl` and `js` in nats; `cosine`, `nmse` and `scale` (the slope of candidate over reference)
    of centred logits, `plain_cosine` of logits as they are; `topk` a share of `top_k` ids;
    `max_abs`, `gap` (reference, between its two best ids) and `gap_shift` (candidate's less
    reference's) in logits. All are NaN, and ids of `*_top1` -1, where a row holds NaN or Inf.

    `compared` ids are common to both vocabularies; the rest (`extra` says whose) is padding, or
    else nothing was compared and the tuples are empty. `extra_mass` is the largest probability
    that they hold at any position, `extra_chosen` the positions where one of them is the best.
    `unknown` are ids of the text that the candidate does not have: then nothing was compared too.
    `reference_nonfinite` and `candidate_nonfinite` count logits.
    """

    ids: tuple[int, ...]
    reference_vocabulary: int
    candidate_vocabulary: int
    compared: int
    top_k: int
    extra: Side | None = None
    extra_is_padding: bool = True
    extra_example: str = ""
    extra_mass: float = 0.0
    extra_chosen: int = 0
    unknown: tuple[int, ...] = ()
    reference_nonfinite: int = 0
    candidate_nonfinite: int = 0
    kl: tuple[float, ...] = ()
    js: tuple[float, ...] = ()
    cosine: tuple[float, ...] = ()
    plain_cosine: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    nmse: tuple[float, ...] = ()
    max_abs: tuple[float, ...] = ()
    topk: tuple[float, ...] = ()
    gap: tuple[float, ...] = ()
    gap_shift: tuple[float, ...] = ()
    reference_top1: tuple[int, ...] = ()
    candidate_top1: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureNoise(Comparison):
    """How far each side is from itself: the same ids in two batch sizes and two thread counts."""

    text: str = ""
    ids: tuple[int, ...] = ()
    chat: bool = False

    def __post_init__(self) -> None:
        _require_one(self.text, self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The same ids computed another way: mean and largest KL in nats, largest logit's move.

    `gap_shift` is the largest change of the gap between the two best ids.
    """

    way: str
    kl_mean: float
    kl_max: float
    max_abs: float
    gap_shift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseMeasured(Compared):
    """What both sides differ by from themselves, over `positions`."""

    positions: int
    reference: tuple[Variant, ...]
    candidate: tuple[Variant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Comparison):
    """Whose fault is a difference, the tokenizer's or the weights'? Both weights on both ids."""

    text: str

    def __post_init__(self) -> None:
        _require_one(self.text, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """One side's weights on one side's ids.

    `kl` at the last position, from the reference on its own ids, in nats; None where the
    vocabularies differ. `loss` is the mean negative log-likelihood of an id, `text_loss` that of
    the whole text, in nats. NaN where logits are not finite, or an id is outside the vocabulary.
    """

    weights: Side
    tokenizer: Side
    kl: float | None
    loss: float
    text_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed(Compared):
    """The four combinations, and the ids of each tokenizer."""

    reference_ids: tuple[int, ...]
    candidate_ids: tuple[int, ...]
    cells: tuple[Weighed, ...]


def _require_one(text: str, ids: tuple[int, ...]) -> None:
    if bool(text) == bool(ids):
        raise ValueError("a comparison takes either ids or a text")


REQUESTS: tuple[type[Comparison], ...] = (CompareLogits, MeasureNoise, Attribute)
ANSWERS: tuple[type[Compared], ...] = (LogitsCompared, NoiseMeasured, Attributed)
