"""Signatures of rows and columns: random projections, the same for the same length.

A projection of a row to a few numbers keeps distances between rows (Johnson-Lindenstrauss), so
that permutations, swaps, transpositions and low ranks are found without holding two tensors.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pytest_modelqa.artifacts.differential.reading import CHUNK, Floats, Rows, Source

WIDTH = 24
"""Projections. Two random rows are as near as 10 % noise once in 10^20 times."""
_PAIRS = 1 << 22


class Sketch(NamedTuple):
    """`rows` of shape (rows, WIDTH), `columns` of shape (cols, WIDTH)."""

    rows: Floats
    columns: Floats


@lru_cache(maxsize=8)
def _directions(length: int) -> Floats:
    """Orthogonal where there is room, so that noise stays without directions; length 1 a value."""
    drawn = np.random.default_rng(length).standard_normal((length, WIDTH), dtype=np.float32)
    if length < WIDTH:
        return drawn
    return np.asarray(np.linalg.qr(drawn)[0] * np.float32(length**0.5))


def sketch(source: Source) -> Sketch:
    """Read a tensor once."""
    across, down = _directions(source.cols), _directions(source.rows)
    rows = np.empty((source.rows, WIDTH), np.float32)
    columns = np.zeros((source.cols, WIDTH), np.float32)
    count = max(4 * CHUNK // source.cols // source.unit, 1) * source.unit
    at = 0
    for values in source.chunks(count):
        end = at + len(values)
        rows[at:end] = values @ across
        columns += values.T @ down[at:end]
        at = end
    return Sketch(rows, columns)


def distance(one: Floats, two: Floats) -> float:
    """||one - two|| / ||two||."""
    base = float(np.linalg.norm(two))
    away = float(np.linalg.norm(one - two))
    return away / base if base else float("inf") if away else 0.0


def nearest(wanted: Floats, among: Floats) -> tuple[Rows, Floats]:
    """For each row of `wanted` the nearest of `among`, and its distance, both (len(wanted),)."""
    found = np.empty(len(wanted), np.int64)
    squares = np.empty(len(wanted), np.float32)
    norms = np.einsum("ij,ij->i", among, among)
    count = max(_PAIRS // max(len(among), 1), 1)
    for at in range(0, len(wanted), count):
        piece = wanted[at : at + count]
        apart = norms - 2 * (piece @ among.T)
        found[at : at + count] = best = apart.argmin(axis=1)
        away = piece - among[best]  # exactly: the difference of large squares is not
        squares[at : at + count] = np.einsum("ij,ij->i", away, away)
    return found, np.sqrt(squares)
