"""A playbook file to a `Playbook`, or to all of its mistakes at once, each with its position."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.errors import PlaybookError
from pytest_modelqa.playbook import convert
from pytest_modelqa.playbook.extending import Source, read
from pytest_modelqa.playbook.positions import Flaw, Key, Tree
from pytest_modelqa.playbook.problems import flaws_of, not_a
from pytest_modelqa.playbook.schema import (
    PlaybookDoc,
    ScenarioDoc,
    oracle_arguments,
    scenario_model,
)
from pytest_modelqa.playbook.semantics import empty_keys, semantic_flaws
from pytest_modelqa.playbook.values import Playbook, ScenarioSpec

M = TypeVar("M", bound=BaseModel)
Oracles = Mapping[str, type[Oracle]]


class PlaybookErrors(PlaybookError):
    """Mistakes of a playbook and of the templates that it extends, each told with its own file."""

    def __init__(self, file: str, flaws: Iterable[Flaw]) -> None:
        by_file: dict[str, list[Flaw]] = {file: []}
        for flaw in flaws:
            by_file.setdefault(flaw.at.file, []).append(flaw)
        self.parts = [
            PlaybookError(name, [f.problem for f in found])
            for name, found in by_file.items()
            if found
        ]
        super().__init__(file, [p for part in self.parts for p in part.problems])

    def __str__(self) -> str:
        return "\n".join(str(part) for part in self.parts)


class _AnyOracle(ScenarioDoc):
    """A scenario whose oracle is unknown: its common fields alone can be judged."""

    model_config = ConfigDict(extra="ignore")


def load(path: Path, oracles: Oracles) -> Playbook:
    """Read, merge and validate a playbook.

    `oracles` maps the names that `oracle:` may take to dataclasses whose fields are parameters.
    Raises PlaybookError with every mistake of the file, UsageError where there is no such file.
    """
    source = read(path)
    tree = source.tree
    shape: list[Flaw] = []
    doc = _validated(PlaybookDoc, tree.plain(), tree, (), shape)
    scenarios = list(_scenarios(tree, oracles, shape))
    told: dict[tuple[Key, ...], Flaw] = {}
    for flaw in (*empty_keys(tree), *shape, *semantic_flaws(tree, oracles)):
        told.setdefault(flaw.path, flaw)
    if told or source.flaws or doc is None:
        raise PlaybookErrors(str(path), (*source.flaws, *told.values()))
    return _playbook(path, source, doc, scenarios)


def _validated(
    model: type[M], data: Any, tree: Tree, prefix: tuple[Key, ...], flaws: list[Flaw]
) -> M | None:
    """Through JSON text, so that strict models still take lists for tuples."""
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        flaws += flaws_of(error, tree, model, prefix)
        return None


def _scenarios(tree: Tree, oracles: Oracles, flaws: list[Flaw]) -> Iterator[ScenarioSpec]:
    listed = tree.value.get("scenarios")
    for i, item in enumerate(listed.value if listed and isinstance(listed.value, list) else ()):
        if isinstance(item.value, dict):
            found = _scenario(tree, item.plain(), i, oracles, flaws)
            if found is not None:
                yield found


@cache
def _model(oracle: type[Oracle]) -> type[BaseModel]:
    return scenario_model(oracle)


def _scenario(
    tree: Tree, data: dict[str, Any], index: int, oracles: Oracles, flaws: list[Flaw]
) -> ScenarioSpec | None:
    path: tuple[Key, ...] = ("scenarios", index)
    name = data.get("oracle")
    if not isinstance(name, str) or name not in oracles:
        _validated(_AnyOracle, data, tree, path, flaws)
        if isinstance(name, str):
            at = (*path, "oracle")
            flaws.append(Flaw(tree.nearest(at).at, at, not_a(name, "oracle", sorted(oracles))))
        return None
    doc: Any = _validated(_model(oracles[name]), data, tree, path, flaws)
    oracle = None if doc is None else _oracle(tree, path, oracles[name], doc, flaws)
    if oracle is None:
        return None
    return ScenarioSpec(
        name=doc.name,
        prompt=doc.prompt,
        oracle=oracle,
        system=doc.system or "",
        max_tokens=doc.max_tokens,
        temperature=doc.temperature,
        category=doc.category,
        gate=doc.gate,
        tier=doc.tier,
        modalities=doc.modalities or (),
        allow_garbage=doc.allow_garbage,
        mode=doc.mode,
    )


def _oracle(
    tree: Tree, path: tuple[Key, ...], kind: type[Oracle], doc: Any, flaws: list[Flaw]
) -> Oracle | None:
    arguments = oracle_arguments(doc)
    try:
        oracle = kind(**arguments)
    except ValueError as error:
        field = _named_in(str(error), arguments, tree.nearest(path).value)
        at = (*path, field)
        flaws.append(Flaw(tree.nearest(at).at, at, str(error).removeprefix(f"{field}: ")))
        return None
    if problem := oracle.problem_with(doc.prompt):
        at = (*path, "prompt")
        flaws.append(Flaw(tree.nearest(at).at, at, problem))
        return None
    return oracle


def _named_in(message: str, arguments: Mapping[str, Any], written: Mapping[str, Any]) -> str:
    """The field that an oracle complains about: the one it names, or its only one."""
    own = [name for name in arguments if name in written]
    named = [name for name in own if name in message]
    return (named or own if len(own) == 1 or named else ["oracle"])[0]


def _playbook(
    path: Path, source: Source, doc: PlaybookDoc, scenarios: list[ScenarioSpec]
) -> Playbook:
    def folder(key: tuple[Key, ...]) -> Path:
        return Path(source.tree.nearest(key).at.file).parent

    off = convert.disabled_gates(doc)
    model = convert.model(doc, folder)
    return Playbook(
        path=path,
        sha256=source.sha256,
        version=doc.version,
        name=path.name,
        model=model,
        matrix=convert.matrix(doc.test_matrix, model.artifacts),
        scenarios=tuple(s for s in scenarios if s.gate not in off),
        blocks=tuple(convert.blocks(doc)),
        severities=convert.severities(doc),
        disabled=convert.disabled_gates(doc),
        failure_policy=doc.failure_policy,
        seed=doc.seed,
        tier=doc.tier,
        limits=convert.limits(doc),
    )
