"""The reference's tensors by content: which of them a stray tensor is."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from pytest_modelqa.artifacts.differential.measuring import measure
from pytest_modelqa.artifacts.differential.reading import CHUNK, Floats, Source
from pytest_modelqa.artifacts.differential.shuffles import as_stored
from pytest_modelqa.artifacts.differential.sketching import distance


class Library:
    """Beginnings of the reference's tensors, read when first asked for.

    `stored` are the candidate's own, for the order of rows that each name has in its file.
    """

    def __init__(self, tensors: Mapping[str, Source], stored: Mapping[str, Source]) -> None:
        self._tensors = tensors
        self._stored = stored
        self._beginnings: dict[str, Floats] = {}
        self._lock = Lock()

    def holding(self, candidate: Source, name: str, room: float) -> str:
        """The name of another tensor whose values these are, within `room`; else empty."""
        for other, source in self._tensors.items():
            if other == name or source.shape != candidate.shape:
                continue
            if self._is(candidate, other, source, room):
                return other
        return ""

    def _is(self, candidate: Source, other: str, source: Source, room: float) -> bool:
        placed = self._stored.get(other, source)
        if placed.order != candidate.order:  # a file's rows went to a place with another order
            candidate, theirs = candidate.in_file_order(), as_stored(source, placed)
            beginning = _beginning(theirs)
        else:
            theirs, beginning = source, self._beginning(other, source)
        ours = _beginning(candidate)
        count = min(len(ours), len(beginning))
        if distance(ours[:count], beginning[:count]) > room:
            return False
        whole = measure(candidate, theirs)
        return whole.finite and whole.error <= room

    def _beginning(self, name: str, source: Source) -> Floats:
        with self._lock:
            if name not in self._beginnings:
                self._beginnings[name] = _beginning(source)
            return self._beginnings[name]


def _beginning(source: Source) -> Floats:
    """The first rows, whole heads of whatever height."""
    rows = min(source.rows, max(CHUNK // 8 // source.cols, 1))
    rows = -(-rows // source.unit) * source.unit
    return source.slice(0, rows)
