"""How far two rows of logits are apart: float64, on the full vocabulary, one number a position.

Rows are arrays of shape (positions, vocabulary), results of shape (positions,). A row with NaN or
Inf on either side is NaN in every result, so that nothing can be concluded from it by accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating]
"""Logits, of any float type: (positions, vocabulary)."""

Each = NDArray[np.float64]
"""A number of each position."""

ROUNDING = -1e-6
"""A divergence is never negative: down to here it is rounding and set to 0, below it is an error.

Source: practice of the tools that publish KL divergences, at 1e5 ids in float64.
"""


def log_softmax(logits: Rows) -> NDArray[np.float64]:
    """Logarithms of probabilities: x - max - ln(sum(exp(x - max))), rows summing to 1."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def kl(reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> Each:
    """KL(reference || candidate) in nats, of log-probabilities: sum(p * (ln p - ln q)).

    S. Kullback and R. A. Leibler, Annals of Mathematical Statistics 22, 1951, 79-86.
    Raises ValueError where the result is more negative than rounding makes it.
    """
    return _not_negative((np.exp(reference) * (reference - candidate)).sum(axis=-1))


def js(reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> Each:
    """Jensen-Shannon divergence in nats, from 0 to ln 2: the mean KL to the mixture of both.

    J. Lin, IEEE Transactions on Information Theory 37, 1991, 145-151.
    """
    p, q = np.exp(reference), np.exp(candidate)
    mixture = np.log(np.maximum((p + q) / 2, np.finfo(np.float64).tiny))
    halves = p * (reference - mixture) + q * (candidate - mixture)
    return _not_negative(halves.sum(axis=-1) / 2)


def cosine(reference: Rows, candidate: Rows) -> Each:
    """Cosine of the angle between rows; NaN where one has no length.

    Depends on an offset that no probability depends on: centre the rows first, or call it a
    diagnostic.
    """
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    lengths = np.sqrt(_dot(a, a) * _dot(b, b))
    return _ratio(_dot(a, b), lengths)


def nmse(reference: Rows, candidate: Rows) -> Each:
    """Mean squared error over the variance of the reference's row; NaN where that is 0.

    With centred rows this is 0 for rows that differ by an offset, which changes no probability.
    """
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    variance = a.var(axis=-1)
    error = np.square(a - b).mean(axis=-1)
    return _ratio(error, variance)


def centred(logits: Rows) -> NDArray[np.float64]:
    """Rows less their own mean."""
    wide = logits.astype(np.float64)
    wide -= wide.mean(axis=-1, keepdims=True)
    return wide


def top_overlap(reference: Rows, candidate: Rows, k: int) -> Each:
    """The share of the reference's `k` likeliest ids that are among the candidate's."""
    ours = np.argpartition(-reference, k - 1, axis=-1)[:, :k]
    theirs = np.argpartition(-candidate, k - 1, axis=-1)[:, :k]
    shared = [len(np.intersect1d(a, b)) for a, b in zip(ours, theirs, strict=True)]
    return np.array(shared, dtype=np.float64) / k


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """How far rows are apart, each of shape (positions,).

    `cosine` and `nmse` are of centred rows, `plain_cosine` of the rows as they are. `scale` is
    the slope of the candidate's centred logits over the reference's. `gap` is the reference's
    logit of its best id less that of its second, `gap_shift` how much more the candidate puts
    between the same two. `top1` are the best ids (lowest on ties); -1 where a row is not finite.
    """

    kl: Each
    js: Each
    cosine: Each
    plain_cosine: Each
    scale: Each
    nmse: Each
    max_abs: Each
    topk: Each
    gap: Each
    gap_shift: Each
    reference_top1: NDArray[np.int64]
    candidate_top1: NDArray[np.int64]


def apart(reference: Rows, candidate: Rows, top_k: int) -> Apart:
    """Every number about each pair of rows. Raises ValueError unless shapes are alike.

    Rows must hold at least two ids; of fewer than `top_k`, all are the likeliest.
    """
    if reference.shape != candidate.shape or reference.ndim != 2:  # noqa: PLR2004 - rows x ids
        raise ValueError(f"rows of shapes {reference.shape} and {candidate.shape}")
    positions, vocabulary = reference.shape
    if vocabulary < 2:  # noqa: PLR2004 - one id is always certain
        raise ValueError(f"a vocabulary of {vocabulary} leaves nothing to compare")
    sound: NDArray[np.bool_] = np.array(
        [
            np.isfinite(a).all() and np.isfinite(b).all()
            for a, b in zip(reference, candidate, strict=True)
        ],
        dtype=np.bool_,
    )
    found = _finite_apart(reference[sound], candidate[sound], min(top_k, vocabulary))
    return Apart(**{name: _spread_out(values, sound, positions) for name, values in found.items()})


def _finite_apart(reference: Rows, candidate: Rows, k: int) -> dict[str, NDArray[Any]]:
    wide_reference, wide_candidate = centred(reference), centred(candidate)
    log_reference, log_candidate = log_softmax(reference), log_softmax(candidate)
    gap, gap_shift = _gaps(reference, candidate)
    own = _dot(wide_reference, wide_reference)
    slope = _dot(wide_reference, wide_candidate)
    return {
        "kl": kl(log_reference, log_candidate),
        "js": js(log_reference, log_candidate),
        "cosine": cosine(wide_reference, wide_candidate),
        "plain_cosine": cosine(reference, candidate),
        "scale": _ratio(slope, own),
        "nmse": nmse(wide_reference, wide_candidate),
        "max_abs": np.abs(reference.astype(np.float64) - candidate).max(axis=-1, initial=0.0),
        "topk": top_overlap(reference, candidate, k),
        "gap": gap,
        "gap_shift": gap_shift,
        "reference_top1": reference.argmax(axis=-1),
        "candidate_top1": candidate.argmax(axis=-1),
    }


def _gaps(reference: Rows, candidate: Rows) -> tuple[Each, Each]:
    """Between the reference's two best ids: its own gap, and how the candidate's differs."""
    best = np.argpartition(-reference, 1, axis=-1)[:, :2]
    first = reference.argmax(axis=-1)[:, None]
    second = np.where(best[:, :1] == first, best[:, 1:], best[:, :1])

    def between(rows: Rows) -> Each:
        wide = np.take_along_axis(rows, first, -1).astype(np.float64)
        return (wide - np.take_along_axis(rows, second, -1))[:, 0]

    ours = between(reference)
    return ours, between(candidate) - ours


def _spread_out(values: NDArray[Any], sound: NDArray[np.bool_], positions: int) -> NDArray[Any]:
    """Back to all positions: NaN, or -1 for ids, where a row was not finite."""
    missing = -1 if values.dtype.kind == "i" else np.nan
    full = np.full(positions, missing, dtype=values.dtype)
    full[sound] = values
    return full


def _ratio(above: Each, below: Each) -> Each:
    """NaN where there is nothing to divide by."""
    quotient: Each = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    return quotient


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> Each:
    product: Each = np.einsum("ij,ij->i", a, b)
    return product


def _not_negative(values: Each) -> Each:
    if (values < ROUNDING).any():
        raise ValueError(f"a divergence of {values.min():.3g} nats: rounding does not explain it")
    return np.where(values < 0, 0.0, values)
