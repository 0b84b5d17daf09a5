"""Leakage: records of the hold-out that the training sets hold too, or nearly.

Exact: the same prompt or the same record once case, width and white space are levelled. Near:
the Jaccard similarity of the records' word 3-shingles is at least 0.8. Near pairs are found by
prefix filtering (Chaudhuri et al. 2006; Bayardo et al. 2007): two sets that similar share one of
their rarest shingles. That is exact, no pair is missed, and nothing is drawn by chance.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.records import Record, RecordFile

THRESHOLD = 0.8
SHINGLE = 3
"""Words of a shingle."""
_BITS = 21
"""Bits of a word's number: three fit into 63, so that shingles are told apart exactly."""
_WORD = re.compile(r"\w+|[^\w\s]")

Kind = Literal["same record", "same prompt", "near duplicate"]
Shingles = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A record of the hold-out, and the most similar one that is trained on."""

    kind: Kind
    held: str
    trained: str
    similarity: float
    prompt: str

    def __str__(self) -> str:
        likeness = f" ({self.similarity:.2f})" if self.kind == "near duplicate" else ""
        return f"{self.held} is in {self.trained}: {self.kind}{likeness}: {self.prompt[:60]!r}"


def leaks(
    train: Sequence[RecordFile], held: RecordFile, *, threshold: float = THRESHOLD
) -> tuple[Leak, ...]:
    """At most one leak a record of the hold-out: the same record, else prompt, else the nearest."""
    places = [(part, i) for part in train for i in range(len(part.records))]
    trained = [part.records[i] for part, i in places]
    found = _near(trained, held.records, threshold)
    found |= _exact(trained, held.records, "same prompt")
    found |= _exact(trained, held.records, "same record")
    made = []
    for at, (kind, other, similarity) in sorted(found.items()):
        part, line = places[other]
        made.append(
            Leak(
                kind=kind,
                held=held.place(at),
                trained=part.place(line),
                similarity=similarity,
                prompt=held.records[at].prompt,
            )
        )
    return tuple(made)


def duplicates(records: Sequence[Record]) -> int:
    """How many records are the same as an earlier one, case and white space apart."""
    return len(records) - len({_level(_whole(r)) for r in records})


Found = dict[int, tuple[Kind, int, float]]


def _exact(trained: Sequence[Record], held: Sequence[Record], kind: Kind) -> Found:
    def key(record: Record) -> str:
        return _level(record.prompt if kind == "same prompt" else _whole(record))

    known: dict[str, int] = {}
    for i, record in enumerate(trained):
        known.setdefault(key(record), i)
    keys = [key(record) for record in held]
    return {at: (kind, known[k], 1.0) for at, k in enumerate(keys) if k in known}


def _whole(record: Record) -> str:
    return f"{record.prompt}\n\n{record.output}"


def _level(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _near(trained: Sequence[Record], held: Sequence[Record], threshold: float) -> Found:
    """The most similar trained record of each held one that has any within the threshold."""
    sets = _by_rarity([_whole(r) for r in (*held, *trained)])
    ours, theirs = sets[: len(held)], sets[len(held) :]
    index: defaultdict[int, list[int]] = defaultdict(list)
    for at, shingles in enumerate(ours):
        for s in _prefix(shingles, threshold):
            index[s].append(at)
    found: Found = {}
    for other, shingles in enumerate(theirs):
        near = {at for s in _prefix(shingles, threshold) for at in index.get(s, ())}
        for at in near:
            likeness = _jaccard(ours[at], shingles, threshold)
            if likeness > found.get(at, ("", 0, 0.0))[2]:
                found[at] = ("near duplicate", other, likeness)
    return found


def _prefix(shingles: Shingles, threshold: float) -> list[int]:
    """The rarest shingles, as many as a similar set must share one of."""
    size = len(shingles)
    prefix: list[int] = shingles[: size - ceil(threshold * size) + 1].tolist()
    return prefix


def _jaccard(a: Shingles, b: Shingles, threshold: float) -> float:
    """The similarity, or 0 where it is below the threshold; sizes are compared first."""
    if min(len(a), len(b)) < threshold * max(len(a), len(b)):
        return 0.0
    common = len(np.intersect1d(a, b, assume_unique=True))
    likeness = common / (len(a) + len(b) - common)
    return likeness if likeness >= threshold else 0.0


def _by_rarity(texts: Sequence[str]) -> list[Shingles]:
    """The set of shingles of each text as ranks: 0 is the rarest of all texts together."""
    numbers: dict[str, int] = {}
    sets = [np.unique(_shingles(text, numbers)) for text in texts]
    _, inverse, counts = np.unique(np.concatenate(sets), return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    ranked = rank[inverse]
    ends = np.cumsum([len(s) for s in sets])
    return [np.sort(part) for part in np.split(ranked, ends[:-1])]


def _shingles(text: str, numbers: dict[str, int]) -> Shingles:
    """Every three words in a row as one number; a shorter text is one shingle."""
    ids = [numbers.setdefault(w, len(numbers) + 1) for w in _words(text)]
    ids += [0] * (SHINGLE - len(ids))
    words = np.array(ids, dtype=np.int64) % (1 << _BITS)
    return (words[:-2] << 2 * _BITS) | (words[1:-1] << _BITS) | words[2:]


def _words(text: str) -> Iterator[str]:
    return (m[0] for m in _WORD.finditer(_level(text)))
