"""The cheap pass: two tensors read once, side by side, in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, lcm, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts.differential.bounds import Bound
from pytest_modelqa.artifacts.differential.reading import CHUNK, Floats, Source

Blocks = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Sums over all values of candidate c, reference r, and difference d.

    `blocks` is the sum of d^2 of each block, `expected` what the types explain, `squares` the
    sum of r^2, all of shape (rows, blocks a row); `bad` counts values that are not finite.
    """

    rows: int
    cols: int
    block: int
    cr: float
    d: float
    blocks: Blocks
    expected: Blocks
    squares: Blocks
    bound: Bound
    bad: tuple[int, int]

    @property
    def dd(self) -> float:
        """||c - r||^2."""
        return float(self.blocks.sum(dtype=np.float64))

    @property
    def rr(self) -> float:
        """||r||^2."""
        return float(self.squares.sum(dtype=np.float64))

    @property
    def cc(self) -> float:
        """||c||^2."""
        return max(self.dd + 2 * self.cr - self.rr, 0.0)

    @property
    def error(self) -> float:
        """||c - r|| / ||r||."""
        return sqrt(self.dd / self.rr) if self.rr else (0.0 if not self.dd else float("inf"))

    @property
    def allowed(self) -> float:
        """The largest `error` that the types explain."""
        if not self.rr:
            return 0.0
        limit = self.bound.limit(self.blocks.size)
        return sqrt(limit * float(self.expected.sum(dtype=np.float64)) / self.rr)

    @property
    def off_slope(self) -> float:
        """How far 1 lies outside of what the least-squares factors of both directions span.

        A quantiser that rounds to the middle of a step keeps c.r / r.r at one, one that minimises
        the error keeps c.r / c.c there; a scaled tensor has neither.
        """
        if not self.rr or self.cr <= 0:
            return 0.0
        factors = self.cr / self.rr, self.cc / self.cr
        return max(min(factors) - 1, 1 - max(factors), 0.0)

    @property
    def bad_blocks(self) -> NDArray[np.bool_]:
        """Which blocks have an error that their types do not explain, shape (rows, blocks)."""
        with np.errstate(invalid="ignore"):
            return ~(self.blocks <= self.bound.worst * self.expected)

    @property
    def bad_rows(self) -> NDArray[np.int64]:
        """The rows whose error the types do not explain."""
        limit = self.bound.limit(self.blocks.shape[1])
        with np.errstate(invalid="ignore"):
            fits = self.blocks.sum(axis=1) <= limit * self.expected.sum(axis=1)
        return np.flatnonzero(~fits | self.bad_blocks.any(axis=1))

    @property
    def sound(self) -> bool:
        """Whether the types explain all of the difference."""
        room = self.bound.slope + 4 * self.error / sqrt(self.rows * self.cols)
        return bool(
            self.finite
            and self.error <= self.allowed
            and self.off_slope <= room
            and not self.bad_blocks.any()
        )

    @property
    def slope(self) -> float:
        """c.r / r.r."""
        return self.cr / self.rr if self.rr else nan

    @property
    def correlation(self) -> float:
        """The cosine of c and r."""
        norms = sqrt(self.cc * self.rr)
        return self.cr / norms if norms else nan

    @property
    def finite(self) -> bool:
        """Whether every sum is a number."""
        return not any(self.bad) and all(map(isfinite, (self.dd, self.rr, self.cr)))


def measure(candidate: Source, reference: Source) -> Measured:
    """Read both once. They have the same number of rows and columns."""
    rows, cols = reference.rows, reference.cols
    bound = Bound((candidate.type, reference.type), cols)
    unit = lcm(candidate.unit, reference.unit)
    count = max(CHUNK // max(cols, 1) // unit, 1) * unit
    shape = rows * cols // bound.block
    blocks, expected, squares = (np.empty(shape, np.float32) for _ in range(3))
    cr = d = 0.0
    bad = [0, 0]
    at = 0
    with np.errstate(all="ignore"):  # NaN and Inf are counted, and judged
        for start in range(0, rows, count):
            stop = min(start + count, rows)
            c, r = candidate.slice(start, stop), reference.slice(start, stop)
            difference = (c - r).reshape(-1, bound.block)
            values = r.reshape(-1, bound.block)
            end = at + len(values)
            np.einsum("ij,ij->i", difference, difference, out=blocks[at:end])
            np.einsum("ij,ij->i", values, values, out=squares[at:end])
            expected[at:end] = bound.expected(values, squares[at:end])
            product = float(np.dot(c.reshape(-1), r.reshape(-1)))
            cr, d = cr + product, d + float(difference.sum())
            if not isfinite(product) or not isfinite(d):
                bad[0] += _bad(c)
                bad[1] += _bad(r)
            at = end
    return Measured(rows=rows, cols=cols, block=bound.block, cr=cr, d=d, bound=bound,
                    blocks=blocks.reshape(rows, -1), expected=expected.reshape(rows, -1),
                    squares=squares.reshape(rows, -1), bad=(bad[0], bad[1]))  # fmt: skip


def _bad(values: Floats) -> int:
    return int(values.size - np.count_nonzero(np.isfinite(values)))
