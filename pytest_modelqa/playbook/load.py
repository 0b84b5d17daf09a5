"""A playbook file to a `Playbook`, or to all of its mistakes at once, each with its position."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_modelqa.core.errors import PlaybookError
from pytest_modelqa.playbook import convert
from pytest_modelqa.playbook.candidates import chosen, model_flaws, told_under, variants
from pytest_modelqa.playbook.entries import Entries, Oracles, Place
from pytest_modelqa.playbook.extending import Source, read
from pytest_modelqa.playbook.gated import Gated, gated
from pytest_modelqa.playbook.positions import Flaw, Key, Tree
from pytest_modelqa.playbook.schema import LimitsDoc, PlaybookDoc, ScenarioDoc
from pytest_modelqa.playbook.semantics import empty_keys, semantic_flaws
from pytest_modelqa.playbook.ship_keys import canaries_spec, key_flaws, ship_spec
from pytest_modelqa.playbook.values import Playbook, ScenarioSpec


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A playbook without mistakes: its variants, by the names under `models`."""

    source: Source
    trees: Mapping[str, Tree]
    docs: Mapping[str, PlaybookDoc]
    scenarios: tuple[ScenarioSpec, ...]
    gated: Gated


def load(path: Path, oracles: Oracles, model: str = "") -> Playbook:
    """Read, merge and validate a playbook; `model` chooses one of its `models`.

    `oracles` maps the names that `oracle:` may take to dataclasses whose fields are parameters.
    Raises PlaybookError with every mistake of the file, UsageError where there is no such file or
    model.
    """
    found = _read(path, oracles)
    default = next(iter(found.docs.values())).default_model or ""
    return _playbook(path, found, chosen(found.trees, model, default, str(path)))


def validate(path: Path, oracles: Oracles) -> None:
    """Read a playbook with all of its models. Raises as `load` does."""
    _read(path, oracles)


def _read(path: Path, oracles: Oracles) -> _Read:
    source = read(path)
    tree, entries = source.tree, Entries(oracles)
    scenarios = tuple(_scenarios(tree, entries))
    trees, docs = variants(tree), {}
    shapes: list[Flaw] = []
    rules: list[Flaw] = []
    for name, variant in trees.items():
        shape = Entries(oracles)
        doc = shape.validated(PlaybookDoc, Place(variant))
        shapes += (told_under(name, flaw) for flaw in shape.flaws)
        rules += (told_under(name, flaw) for flaw in semantic_flaws(variant, oracles))
        if doc is not None:
            docs[name] = doc
            rules += _keys(variant, doc)
    read_beside = gated(tree, entries, _most_tokens(docs.values()))
    rules += _taken_names(tree, read_beside)
    told: dict[tuple[Key, ...], Flaw] = {}
    for flaw in (*empty_keys(tree), *model_flaws(tree), *shapes, *entries.flaws, *rules):
        if flaw.path != ("model",) or "models" not in tree.value:
            told.setdefault(flaw.path, flaw)
    if told or source.flaws or read_beside.flaws:
        raise PlaybookErrors(str(path), (*source.flaws, *told.values(), *read_beside.flaws))
    return _Read(source=source, trees=trees, docs=docs, scenarios=scenarios, gated=read_beside)


def _most_tokens(docs: Iterable[PlaybookDoc]) -> int:
    limits = next((doc.limits for doc in docs), LimitsDoc())
    return limits.max_tokens


def _taken_names(tree: Tree, found: Gated) -> Iterator[Flaw]:
    """Scenarios under the name of a case of a harness or canary, which stands on the same cells."""
    taken = {f"ship-{h.name}" for h in found.harnesses} | {f"canary-{t.name}" for t in found.tasks}
    scenarios = tree.plain().get("scenarios")
    for i, scenario in enumerate(scenarios if isinstance(scenarios, list) else ()):
        name = scenario.get("name") if isinstance(scenario, dict) else None
        if isinstance(name, str) and name in taken:
            path: tuple[Key, ...] = ("scenarios", i, "name")
            message = f"{name!r} is the name of a harness's or canary's case"
            yield Flaw(tree.nearest(path).at, path, message)


def _keys(tree: Tree, doc: PlaybookDoc) -> Iterator[Flaw]:
    """Artifacts that ship gates and canaries name, of the doc's own model."""
    if doc.ship_gates is None and doc.canaries is None:
        return
    model = convert.model(doc, _folder(tree))
    for path, message in key_flaws(doc, model, convert.matrix(doc.test_matrix, model.artifacts)):
        yield Flaw(tree.nearest(path).at, path, message)


def _folder(tree: Tree) -> convert.Folder:
    return lambda key: Path(tree.nearest(key).at.file).parent


def _scenarios(tree: Tree, entries: Entries) -> Iterator[ScenarioSpec]:
    listed = tree.value.get("scenarios")
    for i, item in enumerate(listed.value if listed and isinstance(listed.value, list) else ()):
        if isinstance(item.value, dict):
            found = _scenario(Place(tree, ("scenarios", i)), entries)
            if found is not None:
                yield found


def _scenario(place: Place, entries: Entries) -> ScenarioSpec | None:
    entry = entries.entry(place, ScenarioDoc)
    oracle = entries.oracle(place, entry.kind, entry.given) if entry else None
    if entry is None or oracle is None or not entries.can_judge(place, oracle, entry.doc.prompt):
        return None
    doc = entry.doc
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


def _playbook(path: Path, found: _Read, name: str) -> Playbook:
    doc = found.docs[name]
    off = convert.disabled_gates(doc)
    model = convert.model(doc, _folder(found.trees[name]))
    matrix = convert.matrix(doc.test_matrix, model.artifacts)
    return Playbook(
        path=path,
        sha256=found.gated.sha256(found.source.sha256, name),
        version=doc.version,
        name=path.name,
        model=model,
        candidate=name,
        matrix=matrix,
        scenarios=tuple(s for s in found.scenarios if s.gate not in off),
        blocks=tuple(convert.blocks(doc)),
        ship=ship_spec(doc, matrix, found.gated),
        canaries=canaries_spec(doc, model, matrix, found.gated),
        severities=convert.severities(doc),
        disabled=off,
        failure_policy=doc.failure_policy,
        seed=doc.seed,
        tier=doc.tier,
        limits=convert.limits(doc),
    )
