"""Playbook to plan: the cells of the matrix, and the cases on them. Nothing is loaded here."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.beside import beside, state_of
from pytest_modelqa.artifacts.derivation import DERIVE, derivable_from
from pytest_modelqa.checks.batching import Batching
from pytest_modelqa.checks.blocks import ALONE, COMPARED, checks_of
from pytest_modelqa.checks.families import Generated, generated
from pytest_modelqa.checks.gateways import GATEWAYS
from pytest_modelqa.checks.numeric import MEASURED
from pytest_modelqa.checks.parity import in_order
from pytest_modelqa.checks.scenario import Announced, Scenario
from pytest_modelqa.checks.shipping import shipping
from pytest_modelqa.core.check import Case, Check, Severity, is_across
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.core.ids import derived_seed
from pytest_modelqa.core.model import FLOATS, ArtifactSpec, Cell, Modality
from pytest_modelqa.core.request import Generate, Request
from pytest_modelqa.core.result import PlannedCase
from pytest_modelqa.core.verdict import Verdict, unavailable
from pytest_modelqa.engines import DEFAULT_ENGINE
from pytest_modelqa.playbook.values import Block, Playbook

GENERATED = "scenarios_generated"
_LATER = "the checks of `{}` are not part of this version; nothing was tested"
_LEAVE_OUT = "a later version, or `enabled: false` to leave it out"

_CHARACTERS_PER_TOKEN = 4
"""English text under BPE vocabularies of 32k-256k ids: the usual rule of thumb, for estimates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`cases` are in order of execution; gateways of a cell come before its other cases."""

    playbook: Playbook
    cells: tuple[Cell, ...]
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a plan will ask: distinct requests, and about how many tokens they read and write."""

    cells: int
    cases: int
    requests: int
    prompt_tokens: int
    max_new_tokens: int


def make(playbook: Playbook) -> Plan:
    """Multiply the matrix and put every check on every cell."""
    cells = tuple(_cells(playbook))
    blocks = (b for b in playbook.blocks if b.name == GENERATED)
    drawn = [check for block in blocks for check in families(playbook, block)]
    of_blocks = [case for block in playbook.blocks for case in _of_block(playbook, block, cells)]
    shipped = list(shipping(playbook, cells))
    cases: list[Case] = []
    for cell in cells:
        cases += _cases(playbook, cell, drawn, [case for case in shipped if case.cell == cell])
        cases += (case for case in of_blocks if case.cell == cell)
    cases += (case for case in of_blocks if case.cell is None)
    _insist_on_different(playbook, cases)
    return Plan(playbook=playbook, cells=cells, cases=tuple(cases))


def _insist_on_different(playbook: Playbook, cases: Sequence[Case]) -> None:
    """Of two cases under one id, one would never be judged. Raises UsageError."""
    ids = {case.id for case in cases}
    if len(ids) < len(cases):
        twice = next(i for i, n in Counter(case.id for case in cases).items() if n > 1)
        raise UsageError(
            f"two cases are called {twice}",
            where=str(playbook.path),
            remedy="give the scenario another name",
        )


def _cells(playbook: Playbook) -> Iterator[Cell]:
    matrix = playbook.matrix
    known = {a.key: a for a in playbook.model.artifacts}
    for form in matrix.formats:
        for quantization in matrix.quantizations.get(form, ()):
            spec = ArtifactSpec(model=playbook.model.id, format=form, quantization=quantization)
            spec = known.get(spec.key, spec)
            if not spec.source and (parent := derivable_from(spec, known)):
                spec = replace(spec, source=f"{DERIVE}{parent}")
            engine = spec.engine or DEFAULT_ENGINE.get(form, "")
            for backend, modality in product(matrix.backends, matrix.modalities):
                yield Cell(artifact=spec, backend=backend, modality=modality, engine=engine)


def _cases(
    playbook: Playbook, cell: Cell, drawn: Sequence[Generated], shipped: Sequence[Case]
) -> Iterator[Case]:
    for gateway in GATEWAYS:
        yield _case(playbook, gateway(), cell, Severity.P0, playbook.tier, is_gateway=True)
    asked = [*_scenarios(playbook, cell), *_generated(playbook, cell, drawn), *shipped]
    yield from asked
    if batched := tuple(case.check for case in asked if case.mode == "fast"):
        case = _case(playbook, Batching(of=batched), cell, Severity.P1, playbook.tier)
        yield replace(case, mode="fast")


def _scenarios(playbook: Playbook, cell: Cell) -> Iterator[Case]:
    for spec in playbook.scenarios:
        if spec.modalities and cell.modality not in spec.modalities:
            continue
        check = Scenario(
            name=spec.name,
            prompt=spec.prompt,
            oracle=spec.oracle,
            gate=spec.gate,
            category=spec.category,
            system=spec.system,
            max_tokens=spec.max_tokens,
            temperature=spec.temperature,
            allow_garbage=spec.allow_garbage,
            seed=derived_seed(playbook.seed, f"{cell.id}::{spec.name}"),
        )
        case = _case(playbook, check, cell, Severity.P2, spec.tier or playbook.tier)
        yield replace(case, mode=spec.mode)


def _instructed(playbook: Playbook) -> tuple[Modality, ...]:
    """Where generated scenarios are asked: through the chat template, unless told otherwise."""
    for block in playbook.blocks:
        if block.name == GENERATED and block.parameters["modalities"]:
            return tuple(block.parameters["modalities"])
    every = playbook.matrix.modalities
    return ("chat",) if "chat" in every else every


def families(playbook: Playbook, block: Block) -> tuple[Generated, ...]:
    """The checks of a block of generated scenarios: the same for every cell."""
    return generated(
        block.parameters, seed=playbook.seed, n_ctx=playbook.limits.n_ctx, replay="modelqa replay"
    )


def shown(path: Path) -> str:
    """Relative to where this runs, so that suggested commands work; else the name alone."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name


def _generated(playbook: Playbook, cell: Cell, drawn: Sequence[Generated]) -> Iterator[Case]:
    chosen = f" --model {shlex.quote(playbook.candidate)}" if playbook.candidate else ""
    command = f"modelqa replay {shlex.quote(shown(playbook.path))} {cell.id}{chosen}"
    for family in drawn if cell.modality in _instructed(playbook) else ():
        check = replace(family, replay=command)
        case = _case(playbook, check, cell, Severity.P2, playbook.tier)
        yield replace(case, mode=check.mode, examples=check.count)


def _of_block(playbook: Playbook, block: Block, cells: Sequence[Cell]) -> Iterator[Case]:
    """What a block asks of every artifact, once a backend, whatever the modality."""
    if block.name == GENERATED:
        return
    if block.name not in (*COMPARED, *ALONE, *MEASURED):
        yield from _announced(playbook, block, _LATER.format(block.name), _LEAVE_OUT)
        return
    parameters = {**block.parameters, "seed": playbook.seed, "budget": _budget(playbook, block)}
    if block.name == "training":
        files = {key: block.parameters[key] for key in ("config", "run", "merged", "gguf")}
        found = beside(playbook.path.parent, files)
        parameters |= {**found, "state": state_of(found.values())}
    decided = checks_of(block.name, block.gates, parameters)
    checks = [check for check in decided if check.gate not in playbook.disabled]
    if block.name in COMPARED:
        yield from _compared(playbook, block, cells, checks)
    for cell, check in product(_one_modality(cells), checks) if block.name in ALONE else ():
        yield _case(playbook, check, cell, Severity.P1, playbook.tier)
    if block.name in MEASURED:
        for cell, check in product(_measured(cells, block.name), checks):
            case = _case(playbook, check, cell, Severity.P1, playbook.tier)
            yield replace(case, measurement=block.name)


def _budget(playbook: Playbook, block: Block) -> Any:
    """What a budget file holds, found beside the playbook. Raises UsageError."""
    named = block.parameters.get("budget")
    if not named:
        return None
    file = playbook.path.parent / named
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the budget cannot be read: {error}",
            where=shown(file),
            remedy=f"modelqa calibrate {shlex.quote(shown(playbook.path))}",
        ) from error


def _compared(
    playbook: Playbook, block: Block, cells: Sequence[Cell], checks: Sequence[Check]
) -> Iterator[Case]:
    """Each check on every artifact that is not the reference itself."""
    key = block.parameters.get("reference") or playbook.model.reference
    reference = next((a for a in playbook.model.artifacts if a.key == key), None)
    if reference is None:
        remedy = "add `model.reference: KEY` to the playbook, the key of one of its artifacts"
        yield from _announced(playbook, block, "there is no reference to compare with", remedy)
        return
    candidates = [cell for cell in _one_modality(cells) if cell.artifact.key != key]
    if not candidates:
        reason = f"the matrix has no artifact besides the reference {key}; nothing was compared"
        yield from _announced(playbook, block, reason, "add one to test_matrix.quantizations")
    for cell, check in product(candidates, checks):
        case = _case(playbook, check, cell, Severity.P1, playbook.tier)
        yield replace(case, reference=reference)
    for check in in_order(candidates, checks):
        yield replace(_case(playbook, check, None, Severity.P1, playbook.tier), reference=reference)


def _one_modality(cells: Sequence[Cell]) -> list[Cell]:
    """One cell of each artifact and backend: the one for chat where there is one."""
    chosen: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        place = cell.artifact.key, cell.backend
        if place not in chosen or cell.modality == "chat":
            chosen[place] = cell
    return list(chosen.values())


def _measured(cells: Sequence[Cell], block: str) -> list[Cell]:
    """One cell of each artifact, since no engine computes; for gradients of each format.

    Gradients are of the architecture, which all files of a format state the same way. Training
    starts from one artifact, the first.
    """
    chosen: dict[str, Cell] = {}
    for cell in sorted(_one_modality(cells), key=lambda cell: cell.backend != "cpu"):
        places = {"gradients": cell.artifact.format, "training": ""}
        place = places.get(block, cell.artifact.key)
        chosen.setdefault(place, cell)
    return list(chosen.values())


def _announced(playbook: Playbook, block: Block, reason: str, remedy: str) -> Iterator[Case]:
    """A case that says why a block tests nothing here."""
    for gate in block.gates or (f"F-{block.name.upper().replace('_', '-')}",):
        name = f"{block.name}[{gate}]" if block.gates else block.name
        check = Announced(
            name=name, gate=gate, category=block.category, reason=reason, remedy=remedy
        )
        yield _case(playbook, check, None, Severity.P1, playbook.tier)


def _case(
    playbook: Playbook,
    check: Check,
    cell: Cell | None,
    severity: Severity,
    tier: int,
    *,
    is_gateway: bool = False,
) -> Case:
    return Case(
        check=check,
        cell=cell,
        severity=playbook.severities.get(check.gate, severity),
        tier=tier,
        is_gateway=is_gateway,
    )


def example_case(plan: Plan, cell_id: str, example: str) -> Case:
    """One generated example, given as JSON, as an exact case of its own. Raises UsageError."""
    family = Generated.of_example(example, max_tokens=1, n_ctx=plan.playbook.limits.n_ctx).family
    for case in plan.cases:
        check = case.check
        if case.scope == cell_id and isinstance(check, Generated) and check.family == family:
            return replace(case, check=check.scenario(example), mode="exact", examples=0)
    raise UsageError(
        f"no case of the family {family!r} in the cell {cell_id!r}",
        where=shown(plan.playbook.path),
        remedy=f"one of: {', '.join(c.id for c in plan.cells)}; see `modelqa plan`",
    )


def absence(case: Case) -> Verdict | None:
    """Why a case cannot run whatever the machine has, or None."""
    if isinstance(case.check, Announced):
        return unavailable(case.check.reason, remedy=case.check.remedy)
    return cell_absence(case.cell) if case.cell else None


def cell_absence(cell: Cell) -> Verdict | None:
    """Why nothing can be asked of a cell whatever the machine has, or None."""
    if cell.modality == "serve":
        return unavailable(
            "modality serve needs an engine that talks to a server, which this version has not",
            remedy="a later version, or modalities run and chat",
        )
    if not cell.engine:
        return unavailable(
            f"no engine opens {cell.artifact.format} files",
            remedy="name one: model.artifacts[].engine",
        )
    if not cell.artifact.source:
        return _no_source(cell.artifact)
    return None


def _no_source(artifact: ArtifactSpec) -> Verdict:
    if artifact.format == "safetensors" and artifact.quantization not in FLOATS:
        return unavailable(
            f"safetensors has no quantization {artifact.quantization}",
            remedy="list quantizations per format: {gguf: [...], safetensors: [f32]}",
        )
    return unavailable(
        f"the playbook names no file for {artifact.key}, and none that it can be made of",
        remedy=f"add one under model.artifacts: {{format: {artifact.format}, "
        f"quantization: {artifact.quantization}, source: ...}}",
    )


def planned(case: Case) -> PlannedCase:
    """The case as reports know it."""
    return PlannedCase(
        id=case.id,
        scope=case.scope,
        name=case.check.name,
        gate=case.check.gate,
        category=case.check.category.value,
        severity=case.severity.value,
        tier=case.tier,
        is_gateway=case.is_gateway,
        mode=case.mode,
        role=case.role,
    )


def estimate(plan: Plan) -> Estimate:
    """Count distinct requests per artifact and backend, and bound their tokens."""
    distinct: set[tuple[str, str, Request]] = set()
    for case in plan.cases:
        if absence(case) is None:
            for cell, request in questions(case):
                distinct.add((cell.artifact.key, cell.backend, request))
    generations = [r for _, _, r in distinct if isinstance(r, Generate)]
    return Estimate(
        cells=len(plan.cells),
        cases=len(plan.cases),
        requests=len(distinct),
        prompt_tokens=sum(_prompt_tokens(r) for r in generations),
        max_new_tokens=sum(r.max_tokens for r in generations),
    )


def questions(case: Case) -> Iterator[tuple[Cell, Request]]:
    """What a case asks first, and of which cell."""
    if is_across(case.check):
        yield from case.check.questions().values()
    elif case.cell is not None:
        for request in case.check.requests(case.cell).values():
            yield case.cell, request


def _prompt_tokens(request: Generate) -> int:
    text = request.prompt or "".join(m.content for m in request.messages)
    return len(text) // _CHARACTERS_PER_TOKEN + 1
