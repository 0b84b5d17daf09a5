"""All tensors of a candidate against its reference's: a cheap pass, and a search where it fails."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pytest_modelqa.artifacts.differential.library import Library
from pytest_modelqa.artifacts.differential.measuring import Measured, measure
from pytest_modelqa.artifacts.differential.naming import (
    GENERATED,
    VERIFIED,
    head_rows,
    in_order,
    interleaved,
)
from pytest_modelqa.artifacts.differential.reading import Source, bits, decodable
from pytest_modelqa.artifacts.differential.relations import Suspect, relation_of
from pytest_modelqa.artifacts.differential.stored import Stored, open_both
from pytest_modelqa.core.comparison.tensors import (
    CompareTensors,
    TensorCompared,
    TensorsCompared,
)

_THREADS = 2
_EMBEDDING, _HEAD = "token_embd.weight", "output.weight"
_EQUAL = 1e-6
"""The relative error up to which two tensors are called the same."""


def compare_tensors(candidate: Path, reference: Path, request: CompareTensors) -> TensorsCompared:
    """Compare what two artifacts store, on two threads. Raises Refused, OSError.

    Memory: a few chunks, and of a tensor that is searched at most that tensor.
    """
    ours, theirs = open_both(candidate, reference)
    pairs = list(_pairs(ours, theirs))
    wanted = [p for p in pairs if asked_for(p[0], request.filter)]
    work = _Work(ours, theirs)
    with ThreadPoolExecutor(_THREADS) as pool:
        largest_first = sorted(wanted, key=lambda p: -(p[2].weights if p[2] else 0))
        done = list(pool.map(lambda p: work.compare(*p), largest_first))
    done.sort(key=lambda t: in_order(t.name))
    return TensorsCompared(
        candidate_architecture=ours.architecture,
        reference_architecture=theirs.architecture,
        verified=theirs.architecture in VERIFIED and ours.architecture in VERIFIED,
        tensors=tuple(done),
        unmapped_candidate=ours.unmapped,
        unmapped_reference=theirs.unmapped,
        generated=tuple(sorted((ours.tensors.keys() | theirs.tensors.keys()) & GENERATED)),
        weights=sum(t.weights for t in done),
        filtered=len(pairs) - len(wanted),
    )


def asked_for(name: str, parts: Iterable[str]) -> bool:
    """Whether a filter, if there is one, has a part that the canonical name contains."""
    parts = tuple(parts)
    return not parts or any(part in name for part in parts)


Pair = tuple[str, Source | None, Source | None]


def _pairs(ours: Stored, theirs: Stored) -> Iterable[Pair]:
    """Canonical name and both sides; a head that one side ties is compared with the embedding."""
    names = (ours.tensors.keys() | theirs.tensors.keys()) - GENERATED
    for name in sorted(names, key=in_order):
        c, r = ours.tensors.get(name), theirs.tensors.get(name)
        if name == _HEAD:
            c = c or ours.tensors.get(_EMBEDDING)
            r = r or theirs.tensors.get(_EMBEDDING)
        yield name, c, r


class _Work:
    """Compares one pair after another; holds what is shared."""

    def __init__(self, ours: Stored, theirs: Stored) -> None:
        self._ours = ours
        self._theirs = theirs
        self._library = Library(theirs.tensors, ours.tensors)

    def compare(self, name: str, c: Source | None, r: Source | None) -> TensorCompared:
        """One tensor on both sides."""
        if c is None or r is None:
            return self._alone(name, c, r)
        basis = TensorCompared(
            name=name, candidate_name=c.name, reference_name=r.name, candidate_shape=c.shape,
            reference_shape=r.shape, candidate_type=c.type, reference_type=r.type,
            weights=r.weights, relation="same",
        )  # fmt: skip
        if lacking := next((s for s in (c, r) if not decodable(s.type)), None):
            note = f"values of type {lacking.type} are not decoded here"
            return replace(basis, relation="undecoded", note=note)
        if c.shape != r.shape:
            return _misshapen(basis, c, r)
        found = self._related(basis, c, r)
        return self._head(found) if name == _HEAD else found

    def _alone(self, name: str, c: Source | None, r: Source | None) -> TensorCompared:
        if r is not None:
            return TensorCompared(
                name=name, reference_name=r.name, reference_shape=r.shape, reference_type=r.type,
                weights=r.weights, relation="missing",
            )  # fmt: skip
        assert c is not None
        holds = self._library.holding(c, name, 1e-3) if decodable(c.type) else ""
        return TensorCompared(
            name=name, candidate_name=c.name, candidate_shape=c.shape, candidate_type=c.type,
            weights=c.weights, relation="extra", other=holds,
            note=f"its content is the reference's {holds}" if holds else "",
        )  # fmt: skip

    def _related(self, basis: TensorCompared, c: Source, r: Source) -> TensorCompared:
        measured = measure(c, r)
        plain = with_numbers(basis, measured)
        if measured.sound:
            sound = replace(plain, relation="same" if measured.error <= _EQUAL else "quantised")
            return self._declared(sound, c)
        units = self._units(basis.name, r)
        if other := _with_other_heads(plain, c, r, units):
            return other
        suspect = Suspect(
            name=basis.name,
            candidate=c,
            reference=r,
            measured=measured,
            library=self._library,
            units=units,
        )
        return replace(plain, **relation_of(suspect))

    def _declared(self, found: TensorCompared, c: Source) -> TensorCompared:
        """A matrix of fewer bits than the file declares is not what the file says it is."""
        declared = self._ours.declared
        if found.relation == "same" or c.rows == 1 or not 0 < bits(c.type) < bits(declared):
            return found
        return replace(found, relation="overquantised", other=declared)

    def _units(self, name: str, r: Source) -> tuple[int, ...]:
        """Heights of heads that Q's and K's rows may be taken for: theirs first, then others'."""
        if not head_rows(name):
            return ()
        counts = [*self._ours.heads(), *self._theirs.heads()]
        return tuple(dict.fromkeys(r.rows // n for n in counts if n and r.rows % n == 0))

    def _head(self, found: TensorCompared) -> TensorCompared:
        """A head that one side stores and the other takes from its embedding."""
        if self._ours.tied == self._theirs.tied:
            return found
        side = "the candidate" if self._theirs.tied else "the reference"
        note = f"{side} stores a head of its own; the other side's is its embedding"
        if found.sound:
            return replace(found, relation="tied", note=note)
        if self._ours.tied:
            found = replace(found, relation="missing", other="")
        return replace(found, note=f"{note}; {found.note}" if found.note else note)


def _with_other_heads(
    basis: TensorCompared, c: Source, r: Source, units: Iterable[int]
) -> TensorCompared | None:
    """The same, where the candidate's own number of heads is what is wrong, not its rows."""
    for unit in units if c.order else ():
        if unit == c.unit or unit % 2:
            continue
        measured = measure(replace(c, unit=unit, order=interleaved(unit)), r)
        if measured.sound:
            note = f"with heads of {unit} rows; its own metadata says {c.unit}"
            return replace(with_numbers(basis, measured), relation="quantised", note=note)
    return None


def with_numbers(basis: TensorCompared, measured: Measured) -> TensorCompared:
    """What was measured, in the answer's words."""
    rr = measured.rr
    return replace(
        basis,
        error=measured.error,
        bound=measured.allowed,
        correlation=measured.correlation,
        norm_ratio=(measured.cc / rr) ** 0.5 if rr else float("nan"),
        slope=measured.slope,
    )


def _misshapen(basis: TensorCompared, c: Source, r: Source) -> TensorCompared:
    """Another shape: turned round, relabelled, padded, or simply another."""
    turned = c.shape == tuple(reversed(r.shape)) and len(r.shape) > 1
    if turned and not c.order and not r.order:
        again = measure(replace(c, shape=r.shape), r) if _fits(c, r) else None
        if again is not None and again.sound:
            note = "the shape alone is written the other way round; the values are in place"
            return replace(with_numbers(basis, again), relation="transposed", note=note)
        return replace(basis, relation="transposed", note="its shape is the other way round")
    note = f"shape {list(c.shape)}, the reference has {list(r.shape)}"
    rows = min(c.rows, r.rows)
    if c.shape[1:] == r.shape[1:] and len(r.shape) > 1 and not c.order and not r.order:
        common = measure(_top(c, rows), _top(r, rows))
        same = "agree" if common.sound else "differ"
        note += f"; the {rows:,} rows that both have {same}"
        basis = with_numbers(basis, common)
    return replace(basis, relation="shape", note=note)


def _fits(c: Source, r: Source) -> bool:
    """Whether rows of the other shape are whole blocks of the candidate's type."""
    return c.bytes % r.rows == 0 and c.type in {"F32", "F16", "BF16"}


def _top(source: Source, rows: int) -> Source:
    size = source.bytes // source.rows * rows
    return replace(source, shape=(rows, *source.shape[1:]), bytes=size)
