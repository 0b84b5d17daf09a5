"""Logits of two models on the same ids: measured a few positions at a time, never kept.

Both sides run over the same ids in chunks of `ROWS` positions; a chunk becomes a handful of
numbers a position before the next one is computed, so memory does not grow with the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.comparison.logits import (
    Attribute,
    Attributed,
    CompareLogits,
    LogitsCompared,
    MeasureNoise,
    NoiseMeasured,
    Side,
    Variant,
    Weighed,
)
from pytest_modelqa.engines.answering import Model
from pytest_modelqa.engines.pair.base import Comparers, Pair
from pytest_modelqa.engines.pair.prompting import ids_of, too_long, unknown_ids
from pytest_modelqa.stats.divergence import Apart, apart, kl, log_softmax

ROWS = 32
"""Positions that are in memory at once: 32 of a vocabulary of 256k in float64 are 67 MB a copy."""

_NOISE_BYTES = 64 << 20
"""What the noise measurement may keep of one run, to compare the next with it."""

Logits = NDArray[np.float32]


def compare_logits(pair: Pair, request: CompareLogits) -> LogitsCompared | Failure:
    """Every number of every position. Failure where the text is too short or too long."""
    ids = list(request.ids) or ids_of(pair.reference, request.text, chat=request.chat)
    if len(ids) < max(1, request.length):
        return _too_short(len(ids), request.length)
    ids = ids[: request.length or None]
    if (failure := too_long(pair, len(ids))) is not None:
        return failure
    seen = _Seen(pair, tuple(ids), request.top_k)
    if not seen.comparable:
        return seen.told()
    sides = (pair.reference.logits_in(ids, ROWS), pair.candidate.logits_in(ids, ROWS))
    for reference, candidate in zip(*sides, strict=True):
        seen.take(reference, candidate)
    return seen.told()


def _too_short(found: int, wanted: int) -> Failure:
    return Failure(
        cause="unavailable",
        reason=f"the text has {found} tokens, {max(1, wanted)} are to be compared",
        remedy="ask for fewer tokens in parity.lengths, or give a longer text",
    )


class _Seen:
    """What has been seen of both sides so far."""

    def __init__(self, pair: Pair, ids: tuple[int, ...], top_k: int) -> None:
        self._ids = ids
        self._top_k = top_k
        self._sizes = (pair.reference.n_ids, pair.candidate.n_ids)
        self._common = min(self._sizes)
        self._unknown = unknown_ids(pair, ids)
        self._extra, self._example = _extra(pair)
        self._nonfinite = [0, 0]
        self._mass, self._chosen = 0.0, 0
        self._chunks: list[Apart] = []

    @property
    def comparable(self) -> bool:
        """Whether positions mean the same thing on both sides."""
        return not self._unknown and not self._example

    def take(self, reference: Logits, candidate: Logits) -> None:
        """Compare a chunk of positions, and forget its logits."""
        rows = (reference, candidate)
        for side, logits in enumerate(rows):
            self._nonfinite[side] += int(logits.size - np.isfinite(logits).sum())
        if self._extra:
            self._look_beyond(rows[self._extra == "candidate"])
        common = slice(None, self._common)
        self._chunks.append(apart(reference[:, common], candidate[:, common], self._top_k))

    def _look_beyond(self, logits: Logits) -> None:
        """What the rows that only one side has come to."""
        sound = logits[np.isfinite(logits).all(axis=-1)]
        if len(sound):
            mass = np.exp(log_softmax(sound)[:, self._common :]).sum(axis=-1)
            self._mass = max(self._mass, float(mass.max()))
            self._chosen += int((sound.argmax(axis=-1) >= self._common).sum())

    def told(self) -> LogitsCompared:
        """All of it, as plain numbers."""
        return LogitsCompared(
            ids=self._ids,
            reference_vocabulary=self._sizes[0],
            candidate_vocabulary=self._sizes[1],
            compared=self._common,
            top_k=min(self._top_k, self._common),
            extra=self._extra,
            extra_is_padding=not self._example,
            extra_example=self._example,
            extra_mass=self._mass,
            extra_chosen=self._chosen,
            unknown=self._unknown,
            reference_nonfinite=self._nonfinite[0],
            candidate_nonfinite=self._nonfinite[1],
            **{name: self._all(name) for name in Apart.__dataclass_fields__},
        )

    def _all(self, name: str) -> tuple[Any, ...]:
        return tuple(x for chunk in self._chunks for x in getattr(chunk, name).tolist())


def _extra(pair: Pair) -> tuple[Side | None, str]:
    """Which side has more rows, and the first of them that stands for something."""
    ours, theirs = pair.reference.n_ids, pair.candidate.n_ids
    if ours == theirs:
        return None, ""
    side: Side = "reference" if ours > theirs else "candidate"
    entries = (pair.reference if ours > theirs else pair.candidate).entries
    for i in range(min(ours, theirs), min(max(ours, theirs), len(entries.kinds))):
        if entries.kinds[i] != "unused":
            return side, f"id {i} ({entries.pieces[i].decode('utf-8', 'replace')!r})"
    return side, ""


def measure_noise(pair: Pair, request: MeasureNoise) -> NoiseMeasured | Failure:
    """How each side differs from itself, over as many positions as memory allows to keep."""
    ids = list(request.ids) or ids_of(pair.reference, request.text, chat=request.chat)
    if not ids:
        return _too_short(0, 1)
    if unknown := unknown_ids(pair, ids):
        return Failure(cause="error", reason=f"id {unknown[0]} is outside a vocabulary")
    most = max(2, _NOISE_BYTES // (4 * max(pair.reference.n_ids, pair.candidate.n_ids)))
    ids = ids[:most]
    if (failure := too_long(pair, len(ids))) is not None:
        return failure
    return NoiseMeasured(
        positions=len(ids),
        reference=tuple(_variants(pair.reference, ids)),
        candidate=tuple(_variants(pair.candidate, ids)),
    )


def _variants(model: Model, ids: list[int]) -> Iterator[Variant]:
    """In one pass, and: an id at a time; with another number of threads."""
    threads = model.describe().threads
    other = 2 if threads == 1 else 1
    plain = np.concatenate([*model.logits_in(ids, len(ids))])
    yield _variant("one id at a time", plain, model.logits_in(ids, 1))
    model.use_threads(other)
    try:
        way = f"{other} threads instead of {threads}"
        yield _variant(way, plain, model.logits_in(ids, len(ids)))
    finally:
        model.use_threads(threads)


def _variant(way: str, plain: Logits, again: Iterator[Logits]) -> Variant:
    at, parts = 0, []
    for rows in again:
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            parts.append(apart(plain[at : at + len(part)], part, 1))
            at += len(part)
    return Variant(
        way=way,
        kl_mean=float(np.concatenate([p.kl for p in parts]).mean()),
        kl_max=float(np.concatenate([p.kl for p in parts]).max()),
        max_abs=float(np.concatenate([p.max_abs for p in parts]).max()),
        gap_shift=float(np.abs(np.concatenate([p.gap_shift for p in parts])).max()),
    )


def attribute(pair: Pair, request: Attribute) -> Attributed | Failure:
    """Both weights on both tokenizers' ids."""
    ids: dict[Side, list[int]] = {
        "reference": ids_of(pair.reference, request.text, chat=False),
        "candidate": ids_of(pair.candidate, request.text, chat=False),
    }
    models: dict[Side, Model] = {"reference": pair.reference, "candidate": pair.candidate}
    for made in ids.values():
        if len(made) < 2:  # noqa: PLR2004 - the first id is predicted from nothing
            return _too_short(len(made), 2)
        if (failure := too_long(pair, len(made))) is not None:
            return failure
    read = {(w, t): _read(models[w], ids[t]) for w in models for t in ids}
    base, _ = read["reference", "reference"]
    return Attributed(
        reference_ids=tuple(ids["reference"]),
        candidate_ids=tuple(ids["candidate"]),
        cells=tuple(
            Weighed(
                weights=weights,
                tokenizer=tokenizer,
                kl=_from(base, last),
                loss=loss / (len(ids[tokenizer]) - 1),
                text_loss=loss,
            )
            for (weights, tokenizer), (last, loss) in read.items()
        ),
    )


def _read(model: Model, ids: Sequence[int]) -> tuple[Logits, float]:
    """The last position's logits, and the text's negative log-likelihood after its first id."""
    if any(not 0 <= i < model.n_ids for i in ids):
        return np.full(model.n_ids, np.nan, dtype=np.float32), float("nan")
    last = np.empty(0, dtype=np.float32)
    loss, at = 0.0, 0
    for rows in model.logits_in(ids, ROWS):
        targets = np.array(ids[at + 1 : at + 1 + len(rows)], dtype=np.int64)
        logs = log_softmax(rows)[: len(targets)]
        loss -= float(np.take_along_axis(logs, targets[:, None], -1).sum())
        last, at = rows[-1], at + len(rows)
    return last, loss


def _from(base: Logits, last: Logits) -> float | None:
    """KL between two last positions; None where they do not speak of the same ids."""
    if base.shape != last.shape:
        return None
    if not (np.isfinite(base).all() and np.isfinite(last).all()):
        return float("nan")
    return float(kl(log_softmax(base[None]), log_softmax(last[None]))[0])


COMPARERS: Comparers = {
    CompareLogits: compare_logits,
    MeasureNoise: measure_noise,
    Attribute: attribute,
}
