"""From a playbook's ship gates and canaries to cases on the cell of what ships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_modelqa.checks.shipping.canary import Canary
from pytest_modelqa.checks.shipping.harness import Harness
from pytest_modelqa.core.check import Case, Severity
from pytest_modelqa.core.model import Cell
from pytest_modelqa.engines import DEFAULT_ENGINE
from pytest_modelqa.playbook.gates import CANARY_GATE, harness_gate
from pytest_modelqa.playbook.shipping_values import CanariesSpec, ShipSpec
from pytest_modelqa.playbook.values import Playbook


def shipping(playbook: Playbook, cells: Sequence[Cell]) -> Iterator[Case]:
    """Harnesses, then canaries; none of a gate that is turned off."""
    if playbook.ship is not None:
        yield from _harnesses(playbook, playbook.ship, cells)
    if playbook.canaries is not None and CANARY_GATE not in playbook.disabled:
        yield from _canaries(playbook, playbook.canaries, cells)


def _harnesses(playbook: Playbook, spec: ShipSpec, cells: Sequence[Cell]) -> Iterator[Case]:
    cell = _cell(playbook, cells, spec.artifact)
    baseline = _cell(playbook, cells, spec.baseline, like=cell) if spec.baseline else None
    for harness in spec.harnesses:
        gate = harness_gate(harness.name)
        if gate in playbook.disabled:
            continue
        check = Harness(
            name=f"ship-{harness.name}",
            gate=gate,
            cell=cell,
            demand=harness.demand,
            prompts=harness.prompts,
            examples=harness.examples,
            max_tokens=harness.max_tokens,
            stop=harness.stop,
            baseline=baseline,
        )
        yield Case(
            check=check,
            cell=cell,
            severity=playbook.severities.get(gate, Severity.P1),
            tier=playbook.tier,
            mode=harness.mode,
            role=harness.demand.kind,
        )


def _canaries(playbook: Playbook, spec: CanariesSpec, cells: Sequence[Cell]) -> Iterator[Case]:
    cell = _cell(playbook, cells, spec.stages[-1])
    stages = (*(_cell(playbook, cells, key, like=cell) for key in spec.stages[:-1]), cell)
    baseline = _cell(playbook, cells, spec.baseline, like=cell) if spec.baseline else None
    for task in spec.tasks:
        yield Case(
            check=Canary(spec=task, stages=stages, baseline=baseline),
            cell=cell,
            severity=playbook.severities.get(CANARY_GATE, Severity.P1),
            tier=playbook.tier,
            role="canary",
        )


def _cell(playbook: Playbook, cells: Sequence[Cell], key: str, *, like: Cell | None = None) -> Cell:
    """The artifact's cell: for chat where there is one, else as `like`; one of its own where the
    matrix has none. The playbook was read: the artifact is in the matrix or declared.
    """
    own = [cell for cell in cells if cell.artifact.key == key]
    if own and like is None:
        return next((cell for cell in own if cell.modality == "chat"), own[0])
    assert like is not None
    place = like.backend, like.modality
    for cell in own:
        if (cell.backend, cell.modality) == place:
            return cell
    artifact = next(a for a in playbook.model.artifacts if a.key == key)
    engine = artifact.engine or DEFAULT_ENGINE.get(artifact.format, "")
    return Cell(artifact=artifact, backend=like.backend, modality=like.modality, engine=engine)
