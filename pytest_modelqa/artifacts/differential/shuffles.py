"""Rows and columns in other places: swapped, permuted, doubled, zeroed, turned; and low ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pytest_modelqa.artifacts.differential.reading import CHUNK, Floats, Rows, Source
from pytest_modelqa.artifacts.differential.sketching import WIDTH, nearest

Found = Mapping[str, Any]

LARGEST_RANK = WIDTH // 2
"""Ranks are told from noise by as many projections beyond them."""
_LISTED = 16
_SAMPLE = 8192
"""Misplaced rows that are looked for one by one; of more, these."""
_SPREAD = 2.5
"""Of a sketched distance about the true one: 24 projections give it 15 % (1 sigma)."""
_MOST = 0.98
"""The share of misplaced rows that must be found again: a few may have been rounded badly."""
_MARGIN = 1.25
_FACTOR = 0.02


def rows(ours: Floats, theirs: Floats, bad: Rows, room: float) -> Found | None:
    """Which rows `bad` of the candidate are the reference's, by their sketches."""
    found = _moved(ours, theirs, bad, room)
    return _worded(found, "row") if found else None


def columns(ours: Floats, theirs: Floats, room: float) -> Found | None:
    """The same for columns; which of them are misplaced shows in the sketches."""
    away = np.linalg.norm(ours - theirs, axis=1)
    bad = np.flatnonzero(away > _SPREAD * room * np.linalg.norm(theirs, axis=1))
    found = _moved(ours, theirs, bad, room)
    if not found or found["relation"] not in {"swapped", "permuted"}:
        return None
    return _worded(found, "column")


def _worded(found: dict[str, Any], what: str) -> Found:
    relation = found.pop("relation")
    listed = tuple(int(i) for i in found.pop("at")[:_LISTED])
    names = {"swapped": f"{what}s_swapped", "permuted": f"{what}s_permuted",
             "duplicated": "duplicated_rows", "zeroed": "zeroed_rows"}  # fmt: skip
    return {"relation": names.get(relation, relation), f"{what}s": listed, **found}


def _moved(ours: Floats, theirs: Floats, bad: Rows, room: float) -> dict[str, Any] | None:
    if not len(bad):
        return None
    zero = ~ours[bad].any(axis=1) & theirs[bad].any(axis=1)
    if zero.all():
        return {"relation": "zeroed", "at": bad, "affected": len(bad)}
    at = bad[:: -(-len(bad) // _SAMPLE)]
    where, away = nearest(ours[at], theirs)
    fits = away <= _SPREAD * room * np.linalg.norm(theirs[where], axis=1)
    if np.count_nonzero(fits) >= _MOST * len(at):
        found = _placed(at[fits], where[fits], bad, len(theirs))
        if found:
            return found
    return _factored(ours[bad], theirs[bad], bad, room)


def _placed(at: Rows, where: Rows, bad: Rows, count: int) -> dict[str, Any] | None:
    """Every bad row `at` holds the reference's row `where`; None where most are in place."""
    if np.count_nonzero(where != at) < _MOST * len(at):
        return None
    once = len(np.unique(where)) == len(where) and np.isin(where, bad).all()
    if not once:
        source = ", ".join(map(str, where[:4].tolist()))
        note = f"copies of {source}"
        return {"relation": "duplicated", "at": bad, "affected": len(bad), "note": note}
    if len(bad) == 2:  # noqa: PLR2004 - a swap
        return {"relation": "swapped", "at": bad, "affected": 2}
    note = _pattern(at, where, count)
    return {"relation": "permuted", "at": bad, "affected": len(bad), "note": note}


def _pattern(at: Rows, where: Rows, count: int) -> str:
    """What the order is, where it is plain."""
    if (at + where == count - 1).all():
        return "in reverse order"
    steps = np.unique((where - at) % count)
    if len(steps) == 1:
        return f"moved by {int(steps[0])}"
    if len(np.unique(np.abs(where - at))) == 1:
        return f"blocks of {int(abs(where - at)[0])} exchanged"
    return ""


def _factored(ours: Floats, theirs: Floats, bad: Rows, room: float) -> dict[str, Any] | None:
    """The bad rows are the reference's, multiplied with one factor."""
    base = np.einsum("ij,ij->i", theirs, theirs)
    if not base.all():
        return None
    factors = np.einsum("ij,ij->i", ours, theirs) / base
    left = np.linalg.norm(ours - factors[:, None] * theirs, axis=1)
    middle = float(np.median(factors))
    allowed = _SPREAD * room * max(abs(middle), 1e-3)
    same = np.abs(factors - middle) <= (allowed + _FACTOR * abs(middle))
    if not (same & (left <= allowed * np.sqrt(base))).all():
        return None
    if 2 * float(left @ left) > float(np.linalg.norm(ours - theirs)) ** 2:
        return None  # the factor explains less than half of it
    negated = abs(middle + 1) <= allowed + 1e-3
    return {"relation": "negated" if negated else "scaled", "factor": middle, "at": bad,
            "affected": len(bad)}  # fmt: skip


def vector(ours: Floats, theirs: Floats) -> Found | None:
    """Of one row: its values in another order, exactly."""
    bad = np.flatnonzero(ours != theirs)
    if not len(bad) or not np.array_equal(np.sort(ours), np.sort(theirs)):
        return None
    relation = "columns_swapped" if len(bad) == 2 else "columns_permuted"  # noqa: PLR2004
    listed = tuple(int(i) for i in bad[:_LISTED])
    return {"relation": relation, "columns": listed, "affected": len(bad)}


def as_stored(source: Source, like: Source) -> Source:
    """The tensor with its rows in the order that `like` has in its file."""
    if not like.order:
        return source
    order = tuple(int(i) for i in np.argsort(like.order))
    if source.order:
        order = tuple(source.order[i] for i in order)
    return replace(source, unit=like.unit, order=order)


def transposed_distance(turned: Floats, reference: Source) -> float:
    """||turned - r^T|| / ||r||; `turned` of shape (cols, rows)."""
    apart = whole = 0.0
    count = max(CHUNK // reference.cols // reference.unit, 1) * reference.unit
    at = 0
    for values in reference.chunks(count):
        end = at + len(values)
        difference = turned[:, at:end].T - values
        apart += float(np.einsum("ij,ij->", difference, difference))
        whole += float(np.einsum("ij,ij->", values, values))
        at = end
    return float(np.sqrt(apart / whole)) if whole else float("inf")


def rank(difference: Floats, theirs: Floats, room: float) -> int:
    """The rank of a sketched difference, if it is low and what it leaves is explained; else 0.

    Noise of so many rows has no direction beyond Marchenko and Pastur's edge.
    """
    values = np.linalg.svd(difference.astype(np.float64), compute_uv=False) ** 2
    floor = room * room * float(np.linalg.norm(theirs)) ** 2 / WIDTH
    edge = _MARGIN * (1 + (WIDTH / len(difference)) ** 0.5) ** 2
    for count in range(LARGEST_RANK + 1):
        rest = float(values[count:].mean())
        if values[count] <= edge * max(rest, floor * 1e-3):
            return count if rest <= _MARGIN * floor else 0
    return 0
