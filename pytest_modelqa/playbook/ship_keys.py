"""Which artifacts ship gates and canaries speak of: they must be in the playbook, and fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_modelqa.playbook.gated import Gated
from pytest_modelqa.playbook.positions import Key
from pytest_modelqa.playbook.problems import not_a
from pytest_modelqa.playbook.schema import PlaybookDoc
from pytest_modelqa.playbook.shipping_values import CanariesSpec, ShipSpec
from pytest_modelqa.playbook.values import Matrix, Model


def key_flaws(
    doc: PlaybookDoc, model: Model, matrix: Matrix
) -> Iterator[tuple[tuple[Key, ...], str]]:
    """Keys that are not in the playbook, and what ships without being in the matrix."""
    planned = matrix_keys(matrix)
    known = list(dict.fromkeys((*planned, *(a.key for a in model.artifacts))))
    for path, key in _named(doc):
        if key not in known:
            yield path, not_a(key, "artifact of this playbook", known)
    ships = _ships(doc, planned)
    if doc.ship_gates and ships in known and ships not in planned:
        yield ("ship_gates", "artifact"), not_a(ships, "artifact of test_matrix", planned)
    if doc.canaries and doc.canaries.stages and (last := doc.canaries.stages[-1]) != ships:
        at: tuple[Key, ...] = ("canaries", "stages", len(doc.canaries.stages) - 1)
        if doc.ship_gates:
            yield at, f"the last stage is what ships, and ship_gates.artifact is {ships}"
        elif last not in planned:
            yield at, not_a(last, "artifact of test_matrix", planned)


def matrix_keys(matrix: Matrix) -> list[str]:
    """The artifacts of the matrix, in the order of its cells."""
    return [f"{form}-{q}" for form in matrix.formats for q in matrix.quantizations.get(form, ())]


def ship_spec(doc: PlaybookDoc, matrix: Matrix, read: Gated) -> ShipSpec | None:
    """The ship gates with their defaults filled in; None where there are none."""
    gates = doc.ship_gates
    if gates is None or not gates.enabled:
        return None
    return ShipSpec(
        artifact=_ships(doc, matrix_keys(matrix)),
        baseline=gates.baseline or "",
        min_overall=gates.min_overall,
        harnesses=read.harnesses,
    )


def canaries_spec(
    doc: PlaybookDoc, model: Model, matrix: Matrix, read: Gated
) -> CanariesSpec | None:
    """The canaries with their defaults filled in; None where there are none."""
    canaries = doc.canaries
    if canaries is None or not canaries.enabled:
        return None
    return CanariesSpec(
        tasks=read.tasks,
        stages=canaries.stages or _declared(model, _ships(doc, matrix_keys(matrix))),
        baseline=canaries.baseline or "",
    )


def _declared(model: Model, ships: str) -> tuple[str, ...]:
    """The model's artifacts in their order, up to what ships."""
    keys = [artifact.key for artifact in model.artifacts]
    return (*keys[: keys.index(ships)], ships) if ships in keys else (ships,)


def _ships(doc: PlaybookDoc, planned: Sequence[str]) -> str:
    named = doc.ship_gates.artifact if doc.ship_gates else None
    return named or planned[-1]


def _named(doc: PlaybookDoc) -> Iterator[tuple[tuple[Key, ...], str]]:
    for name in ("ship_gates", "canaries"):
        block = getattr(doc, name)
        for key in ("artifact", "baseline"):
            if block is not None and (value := getattr(block, key, None)):
                yield (name, key), value
    for i, stage in enumerate((doc.canaries and doc.canaries.stages) or ()):
        yield ("canaries", "stages", i), stage
