"""What a tensor that is beyond its bound has to do with the reference's: found from its content.

Every relation is a hypothesis about c, given r, that is accepted only if it leaves no more error
than the types explain. The order is from the plainest to the weakest; `noise` is what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts.differential import shuffles
from pytest_modelqa.artifacts.differential.bounds import RULES
from pytest_modelqa.artifacts.differential.library import Library
from pytest_modelqa.artifacts.differential.measuring import Measured, measure
from pytest_modelqa.artifacts.differential.naming import interleaved
from pytest_modelqa.artifacts.differential.reading import Source
from pytest_modelqa.artifacts.differential.requantising import requantised
from pytest_modelqa.artifacts.differential.sketching import Sketch, distance, sketch

Found = Mapping[str, Any]
"""Fields of `TensorCompared`: `relation`, and what belongs to it."""

SIBLINGS = {"F16": "BF16", "BF16": "F16", "Q4_0": "IQ4_NL", "IQ4_NL": "Q4_0", "F32": "I32"}
"""Types of equal size: a wrong label is not seen in the file's layout."""

LISTED = 16
"""How many rows, columns or blocks are listed."""
_FEW = 0.2
"""The share of blocks that may be called corrupted; more is another tensor."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A tensor beyond its bound. `units` are the heights of heads that its rows may be made of.

    `least` is the relative error that is taken for rounding even where the types do not explain
    it: of values that were quantised before, and are stored in a wider type now.
    """

    name: str
    candidate: Source
    reference: Source
    measured: Measured
    library: Library
    units: tuple[int, ...] = ()
    least: float = 0.0
    _sketches: dict[str, Sketch] = field(default_factory=dict)

    @property
    def room(self) -> float:
        """The relative distance that a hypothesis may leave between sketches."""
        if self.least:
            return min(self.least, self.measured.error / 2)
        return 1.3 * self.measured.allowed + 2e-4

    @property
    def bad_blocks(self) -> NDArray[np.bool_]:
        """Blocks beyond their bound, and beyond `least`; shape (rows, blocks)."""
        m = self.measured
        return m.bad_blocks & ~(m.blocks <= _WIDE * self.least**2 * m.squares)

    @property
    def bad_rows(self) -> NDArray[np.int64]:
        """Rows beyond their bound, and beyond `least`."""
        m = self.measured
        away = m.blocks.sum(axis=1) > _WIDE * self.least**2 * m.squares.sum(axis=1)
        return np.asarray(m.bad_rows[away[m.bad_rows]])

    @property
    def ours(self) -> Sketch:
        """Of the candidate."""
        return self._sketch("candidate", self.candidate)

    @property
    def theirs(self) -> Sketch:
        """Of the reference."""
        return self._sketch("reference", self.reference)

    def _sketch(self, side: str, source: Source) -> Sketch:
        if side not in self._sketches:
            self._sketches[side] = sketch(source)
        return self._sketches[side]


def relation_of(suspect: Suspect) -> Found:
    """The first hypothesis that explains the candidate's values."""
    measured = suspect.measured
    if not measured.finite:
        return _non_finite(measured)
    for hypothesis in (*_HYPOTHESES, *_WEAKEST):
        if found := hypothesis(suspect):
            return found
    rounded = _coarse(suspect)
    if measured.error > _ROUNDED[0]:
        loose = replace(suspect, least=_ROUNDED[1])
        for hypothesis in (*_HYPOTHESES, *_WEAKEST):
            if found := hypothesis(loose):
                note = rounded["note"] if rounded else "its values were rounded before"
                return {**found, "note": f"{found.get('note', '')}; {note}".lstrip("; ")}
    return rounded or {"relation": "noise"}


_ROUNDED = 0.03, 0.12
"""Relative errors: from the first on it is asked what else is wrong with values that were rounded
to some type before; four bits leave 0.07 to 0.1."""
_WIDE = 4.0
"""Single rows and blocks lose up to twice as much."""


def _non_finite(measured: Measured) -> Found:
    ours, theirs = measured.bad
    rows = np.flatnonzero(~np.isfinite(measured.blocks).all(axis=1))
    side = "the candidate" if ours else "the reference" if theirs else "their difference"
    return {"relation": "non_finite", "affected": ours or theirs, "rows": _first(rows),
            "note": f"{ours or theirs:,} values of {side} are NaN or Inf"}  # fmt: skip


def _zero(suspect: Suspect) -> Found | None:
    m = suspect.measured
    if m.rr and abs(m.cr) <= 1e-9 * m.rr and abs(m.dd / m.rr - 1) <= 1e-6:  # noqa: PLR2004
        return {"relation": "zero"}
    return None


def _own_quantiser(suspect: Suspect) -> Found | None:
    """The type's own quantiser makes these very values of the reference.

    Where single blocks stand out all of them are looked at, else a sample.
    """
    if suspect.least:
        return None
    whole = bool(suspect.measured.bad_blocks.any())
    made = requantised(suspect.candidate, suspect.reference, whole=whole)
    if made is None:
        return None
    if made.apart <= _SAME_QUANTISER:
        return {"relation": "quantised", "bound": max(made.error, suspect.measured.error),
                "note": "as the type's own quantiser makes it of the reference"}  # fmt: skip
    if abs(made.factor - 1) > _SAME_QUANTISER / 10 and made.residual <= _SAME_QUANTISER:
        name = "negated" if abs(made.factor + 1) < 1e-3 else "scaled"  # noqa: PLR2004
        return {"relation": name, "factor": made.factor}
    return None


_SAME_QUANTISER = 5e-3
"""Two builds of one quantiser round ties differently in a few values of a million."""


def _scaled(suspect: Suspect) -> Found | None:
    m = suspect.measured
    factor = m.slope
    if not m.cc or not isfinite(factor) or abs(factor - 1) <= m.bound.slope:
        return None
    left = sqrt(max(m.cc - m.cr * m.cr / m.rr, 0.0) / m.rr)
    if left > suspect.room * max(abs(factor), 1e-3):
        return None
    if abs(factor + 1) <= m.bound.slope + left * left:
        return {"relation": "negated", "factor": factor}
    return {"relation": "scaled", "factor": factor}


def _shifted(suspect: Suspect) -> Found | None:
    m = suspect.measured
    count = m.rows * m.cols
    mean = m.d / count
    left = sqrt(max(m.dd - count * mean * mean, 0.0) / m.rr) if m.rr else 1.0
    if left > suspect.room or m.dd <= 4 * left * left * m.rr:
        return None
    return {"relation": "shifted", "factor": mean}


def _mislabelled(suspect: Suspect) -> Found | None:
    """The same bytes, read as another type, are the reference's values."""
    other = SIBLINGS.get(suspect.candidate.type)
    if other is None:
        return None
    again = measure(suspect.candidate.as_type(other), suspect.reference)
    if again.finite and again.error <= 1.3 * again.allowed + 2e-4:
        note = f"its bytes are {other}, and it says {suspect.candidate.type}"
        return {"relation": "mislabelled", "other": other, "note": note}
    return None


def _swapped_with(suspect: Suspect) -> Found | None:
    other = suspect.library.holding(suspect.candidate, suspect.name, suspect.room)
    if other:
        return {"relation": "swapped_with", "other": other}
    return None


def _interleave(suspect: Suspect) -> Found | None:
    """Rows within heads in the order of the rotary embedding's halves, once too often or seldom."""
    rows = suspect.ours.rows
    for unit in suspect.units:
        if unit < 4 or unit % 2 or len(rows) % unit:  # noqa: PLR2004 - two of two is one order
            continue
        order = np.asarray(interleaved(unit))
        heads = suspect.theirs.rows.reshape(-1, unit, rows.shape[1])
        stored = bool(suspect.candidate.order)
        for kind, index in (
            ("missing" if stored else "undone", order),
            ("doubled" if stored else "applied", np.argsort(order)),
        ):
            if distance(rows, heads[:, index].reshape(rows.shape)) <= suspect.room:
                return {"relation": "qk_interleave", "other": kind, "affected": len(rows),
                        "note": f"heads of {unit} rows; the interleave is {kind}"}  # fmt: skip
    return None


def _transposed(suspect: Suspect) -> Found | None:
    r = suspect.reference
    if r.rows == 1 or r.cols == 1 or r.weights > _LARGEST:
        return None
    for ours, theirs in _orders(suspect):
        turned = _all(ours).reshape(r.cols, r.rows)
        again = shuffles.transposed_distance(turned, theirs)
        if again <= suspect.room:
            square = "" if r.rows == r.cols else " under the shape of the original"
            return {"relation": "transposed", "note": f"stored column by column{square}"}
    return None


_LARGEST = 1 << 27
"""Values that are held at once to try a transposition: 512 MiB."""


def _orders(suspect: Suspect) -> Iterator[tuple[Source, Source]]:
    """Both in canonical order, and both as the file would have them."""
    yield suspect.candidate, suspect.reference
    if suspect.candidate.order:
        theirs = shuffles.as_stored(suspect.reference, suspect.candidate)
        yield suspect.candidate.in_file_order(), theirs


def _all(source: Source) -> Any:
    return source.slice(0, source.rows)


def _rows(suspect: Suspect) -> Found | None:
    if suspect.reference.rows == 1:
        return shuffles.vector(suspect.candidate.slice(0, 1)[0], suspect.reference.slice(0, 1)[0])
    bad = suspect.bad_rows
    return shuffles.rows(suspect.ours.rows, suspect.theirs.rows, bad, suspect.room)


def _local(suspect: Suspect) -> Found | None:
    """A minority of rows carries the error: said before anything about the whole."""
    rows = suspect.bad_rows
    if not 0 < len(rows) <= suspect.reference.rows // 2:
        return None
    scattered = 2 * np.count_nonzero(suspect.bad_blocks[rows]) < suspect.bad_blocks[rows].size
    if scattered:
        return _corrupted(suspect) or _rows(suspect)
    return _rows(suspect) or _corrupted(suspect)


def _columns(suspect: Suspect) -> Found | None:
    if suspect.reference.rows == 1:
        return None
    return shuffles.columns(suspect.ours.columns, suspect.theirs.columns, suspect.room)


def _corrupted(suspect: Suspect) -> Found | None:
    """A few blocks carry all of the error."""
    m = suspect.measured
    bad = suspect.bad_blocks
    count = int(np.count_nonzero(bad))
    if not count or count > max(_FEW * bad.size, 1):
        return None
    rest = float(m.blocks[~bad].sum(dtype=np.float64))
    room = m.bound.limit(bad.size - count) * float(m.expected[~bad].sum(dtype=np.float64))
    if rest > max(1.3 * room, suspect.least**2 * m.rr) + 1e-12 * m.rr:
        return None
    rows = np.flatnonzero(bad.any(axis=1))
    where = f"{count:,} of {bad.size:,} blocks of {m.block} values, in {len(rows):,} rows"
    return {"relation": "corrupted_blocks", "affected": count, "rows": _first(rows),
            "blocks": _first(np.flatnonzero(bad.reshape(-1))), "note": where}  # fmt: skip


def _low_rank(suspect: Suspect) -> Found | None:
    if min(suspect.reference.rows, suspect.reference.cols) < 4 * shuffles.LARGEST_RANK:
        return None
    difference = suspect.ours.rows - suspect.theirs.rows
    room = suspect.least or suspect.room
    rank = shuffles.rank(difference, suspect.theirs.rows, room)
    if not rank:
        return None
    return {"relation": "low_rank", "affected": rank}


def _coarse(suspect: Suspect) -> Found | None:
    """Its values take fewer levels in a block than its type has: they were rounded before."""
    c = suspect.candidate
    if c.cols % _BLOCK:
        return None
    step = max(c.rows // c.unit // _BLOCKS, 1) * c.unit
    picked = np.arange(0, c.rows, step)
    blocks = np.sort(c.take(picked).reshape(-1, _BLOCK), axis=1)
    distinct = 1 + np.count_nonzero(np.diff(blocks, axis=1), axis=1)
    levels = 1 << int(np.ceil(np.log2(max(np.percentile(distinct, 99), 1))))
    rule = RULES.get(c.type)
    own = rule.levels * (2 if rule.symmetric else 1) if rule else float("inf")
    if levels > _BLOCK // 2 or levels >= own:
        return None
    note = f"at most {levels} different values in a block of {_BLOCK}: rounded before"
    return {"relation": "coarse", "affected": levels, "note": note}


_BLOCK, _BLOCKS = 32, 256


def _first(at: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in at[:LISTED])


_HYPOTHESES = (
    _zero,
    _own_quantiser,
    _local,
    _scaled,
    _shifted,
    _mislabelled,
    _swapped_with,
    _interleave,
    _transposed,
    _rows,
    _columns,
    _corrupted,
)
_WEAKEST = (_low_rank,)
