"""What a shape cannot say: names that must exist or be unique, and values that must fit together.

The rules look at plain data that may be wrong in other ways, so that a file's mistakes are told all
at once; what has the wrong type is passed over here, since its shape has been told already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pytest_modelqa.core.model import FLOAT_FORMATS, FLOATS, FORMATS
from pytest_modelqa.playbook.blocks import PARTS, Blocks
from pytest_modelqa.playbook.convert import format_of_source
from pytest_modelqa.playbook.gates import (
    CANARY_GATE,
    PART_GATES,
    USUAL_GATES,
    default_gate,
    harness_gate,
)
from pytest_modelqa.playbook.positions import Flaw, Key, Tree
from pytest_modelqa.playbook.problems import not_a
from pytest_modelqa.playbook.schema import LimitsDoc, ScenarioDoc

GATEWAYS = ("G0", "G1", "G2", "G3", "G4")
Path = tuple[Key, ...]
Found = Iterator[tuple[Path, str]]

_ENTRY_DEPTH: Mapping[Key, int] = {"scenarios": 2, "ship_gates": 3, "canaries": 3}
"""How deep the entries with an oracle stand: `scenarios[i]`, `ship_gates.harnesses.x`."""


def semantic_flaws(tree: Tree, oracles: Collection[str]) -> Iterator[Flaw]:
    """Every rule of this module, each mistake at the value that has to change."""
    data = tree.plain()
    rules = (
        _artifacts(data),
        _default_source(data),
        _derivations(data),
        _references(data),
        _matrix(data),
        _scenario_names(data, tree),
        _scenario_modalities(data),
        _token_limits(data),
        _generated_oracles(data, oracles),
        _gates(data),
    )
    for rule in rules:
        for path, message in rule:
            yield Flaw(tree.nearest(path).at, path, message)


def empty_keys(tree: Tree) -> Iterator[Flaw]:
    """Keys without a value; inside an oracle's own fields null may mean something."""
    for path in _empty(tree.plain(), ()):
        yield Flaw(tree.nearest(path).at, path, "is empty; give it a value, or remove the key")


def _get(data: Any, *path: Key) -> Any:
    for key in path:
        if isinstance(data, Mapping):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return None
    return data


def _list(data: Any, *path: Key) -> list[Any]:
    value = _get(data, *path)
    return value if isinstance(value, list) else []


def _mapping(data: Any, *path: Key) -> Mapping[str, Any]:
    value = _get(data, *path)
    return value if isinstance(value, Mapping) else {}


def _text(data: Any, *path: Key) -> str:
    value = _get(data, *path)
    return value if isinstance(value, str) else ""


def _empty(data: Any, path: Path) -> Iterator[Path]:
    if data is None:
        yield path
    if path and len(path) > _ENTRY_DEPTH.get(path[0], len(path)):
        return
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _empty(value, (*path, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _empty(value, (*path, i))


def _keys(data: Any) -> list[str]:
    """Keys of the declared artifacts, in order."""
    artifacts = _list(data, "model", "artifacts")
    return [f"{_text(a, 'format')}-{_text(a, 'quantization')}" for a in artifacts]


def _artifacts(data: Any) -> Found:
    keys = _keys(data)
    for i, artifact in enumerate(_list(data, "model", "artifacts")):
        path: Path = ("model", "artifacts", i)
        if len(keys[i]) > 1 and keys[i] in keys[:i]:
            yield path, f"a second artifact {keys[i]}; the first is [{keys.index(keys[i])}]"
        if isinstance(artifact, Mapping):
            yield from _artifact(artifact, path, has_default=i == 0 and "source" in data["model"])


def _artifact(artifact: Mapping[str, Any], path: Path, *, has_default: bool) -> Found:
    form, quantization = _text(artifact, "format"), _text(artifact, "quantization")
    source = _text(artifact, "source")
    if "source" not in artifact and not has_default:
        yield (*path, "source"), "is missing; name a file, such as file:PATH or hf:ORG/NAME:FILE"
    if form in FLOAT_FORMATS and quantization and quantization not in FLOATS:
        yield (*path, "quantization"), not_a(quantization, f"{form} quantization", FLOATS)
    if form != "safetensors" and source.startswith("hf:") and source.count(":") == 1:
        yield (*path, "source"), f"names no file; a {form} artifact is hf:ORG/NAME:FILE"
    if source and "revision" in artifact and not source.startswith("hf:"):
        yield (*path, "revision"), "only hf: sources have revisions; remove it"


def _default_source(data: Any) -> Found:
    source = _text(data, "model", "source")
    if not source:
        return
    if _list(data, "model", "artifacts"):
        if "source" in _mapping(data, "model", "artifacts", 0):
            yield ("model", "source"), "is never used: the first artifact has its own source"
        return
    form = format_of_source(source)
    if source.startswith("derive:"):
        yield ("model", "source"), "derives from nothing: list the artifacts"
    elif (formats := _list(data, "test_matrix", "formats")) and form not in formats:
        yield ("model", "source"), f"is {form}, and test_matrix.formats does not list {form}"


def _derivations(data: Any) -> Found:
    keys = _keys(data)
    parents = {
        key: _text(a, "source").removeprefix("derive:")
        for key, a in zip(keys, _list(data, "model", "artifacts"), strict=True)
        if _text(a, "source").startswith("derive:")
    }
    for key, parent in parents.items():
        path: Path = ("model", "artifacts", keys.index(key), "source")
        if parent not in keys:
            yield path, not_a(parent, "artifact of this playbook", keys)
        elif _goes_round(key, parents):
            yield path, f"{key} derives from itself, by way of {parent}"
        elif parent in parents:
            yield path, f"{parent} is derived itself; write derive:{parents[parent]}"


def _goes_round(key: str, parents: Mapping[str, str]) -> bool:
    seen = {key}
    while (key := parents.get(key, "")) and key not in seen:
        seen.add(key)
    return bool(key)


def _references(data: Any) -> Found:
    known = list(dict.fromkeys(_keys(data)))
    for path in (
        ("model", "reference"),
        ("parity", "reference"),
        ("differential_tests", "validate_stats", "reference"),
    ):
        if (named := _text(data, *path)) and named not in known:
            yield path, not_a(named, "declared artifact", known or ["none is declared"])


def _matrix(data: Any) -> Found:
    formats = _list(data, "test_matrix", "formats")
    path: Path = ("test_matrix", "quantizations")
    for form, names in _mapping(data, *path).items():
        if formats and form in FORMATS and form not in formats:
            yield (*path, form), f"test_matrix.formats does not list {form}"
        for i, name in enumerate(names if isinstance(names, list) else ()):
            if form in FLOAT_FORMATS and isinstance(name, str) and name not in FLOATS:
                yield (*path, form, i), not_a(name, f"{form} quantization", FLOATS)


def _scenario_names(data: Any, tree: Tree) -> Found:
    first: dict[str, int] = {}
    for i, scenario in enumerate(_list(data, "scenarios")):
        name = _text(scenario, "name")
        if name and name in first:
            at = tree.nearest(("scenarios", first[name], "name")).at
            yield (
                ("scenarios", i, "name"),
                f"a second scenario {name!r}; the first is at {at.line}:{at.column}",
            )
        first.setdefault(name, i)


def _scenario_modalities(data: Any) -> Found:
    asked = {m for m in _list(data, "test_matrix", "modalities") if isinstance(m, str)}
    for i, scenario in enumerate(_list(data, "scenarios")):
        wanted = {m for m in _list(scenario, "modalities") if isinstance(m, str)}
        if asked and wanted and not asked & wanted:
            has = ", ".join(sorted(asked))
            yield ("scenarios", i, "modalities"), f"none of these is in test_matrix ({has})"


def _token_limits(data: Any) -> Found:
    usual = LimitsDoc()
    most = _number(data, "limits", "max_tokens") or usual.max_tokens
    context = _number(data, "limits", "n_ctx") or usual.n_ctx
    if most >= context:
        yield ("limits",), f"max_tokens ({most}) leaves no room for a prompt in n_ctx ({context})"
    default = ScenarioDoc.model_fields["max_tokens"].default
    for i, scenario in enumerate(_list(data, "scenarios")):
        wanted = _number(scenario, "max_tokens") or default
        if wanted > most:
            path = ("scenarios", i, "max_tokens")
            yield path, f"{wanted} is more than limits.max_tokens ({most}); raise that"


def _number(data: Any, *path: Key) -> int:
    value = _get(data, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _generated_oracles(data: Any, oracles: Collection[str]) -> Found:
    path = ("scenarios_generated", "oracles")
    for family, name in _mapping(data, *path).items():
        if isinstance(name, str) and name not in oracles:
            yield (*path, family), not_a(name, "oracle", sorted(oracles))


def _gates(data: Any) -> Found:
    known = sorted({*GATEWAYS, *decided_gates(data)})
    for gate, body in _mapping(data, "gates").items():
        if gate not in known:
            yield (
                ("gates", gate),
                f"nothing decides it; {not_a(gate, 'gate of this playbook', known)}",
            )
        elif gate in GATEWAYS and _get(body, "enabled") is False:
            yield ("gates", gate, "enabled"), "gateways cannot be turned off: the score needs them"


def decided_gates(data: Any) -> Iterator[str]:
    """Gates of scenarios and of all blocks, the disabled ones included."""
    for scenario in _list(data, "scenarios"):
        yield _text(scenario, "gate") or ScenarioDoc.model_fields["gate"].default
    yield from map(harness_gate, _mapping(data, "ship_gates", "harnesses"))
    if "canaries" in data:
        yield CANARY_GATE
    for name in Blocks.model_fields:
        if name in data and name not in _WITHOUT_GATES:
            yield from _block_gates(name, data[name])
    for name, part in _mapping(data, "differential_tests").items():
        if name in PARTS:
            yield from _block_gates(name, part)
    if any(key.startswith("expected_") for key in _mapping(data, "model")):
        yield default_gate("model_expectations")


_WITHOUT_GATES = ("differential_tests", "ship_gates", "canaries")
"""Blocks whose gates are those of their parts."""


def _block_gates(name: str, block: Any) -> Iterator[str]:
    named = [g for g in _list(block, "gates") if isinstance(g, str)]
    yield from named or USUAL_GATES.get(name, (default_gate(name),))
    yield from PART_GATES.get(name, ())
