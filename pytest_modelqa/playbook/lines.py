"""Prompts and examples: a JSONL file, or a function that makes them, as trees with positions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pytest_modelqa.playbook.entries import Place
from pytest_modelqa.playbook.positions import MAX_DEPTH, Flaw, Position, Tree
from pytest_modelqa.playbook.problems import not_a, shown

GENERATORS = "modelqa.prompts"
"""The entry-point group of generators: function(options) -> list of mappings like a file's lines.
They must give the same list for the same options: every process of a run calls them."""

MAX_BYTES = 16 << 20
"""Of a file: some 10,000 prompts of a page each."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What was read: one place a line, the mistakes, and the hash of it all."""

    places: tuple[Place, ...]
    flaws: tuple[Flaw, ...]
    sha256: str


class _NotJson(ValueError):
    """A line that Python's reader takes and JSON does not allow, or that says a thing twice."""


def lines_of_file(source: Place, path: Path) -> Lines:
    """Every line of a JSONL file that is not empty. `source` is where the playbook names it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        return _without(source, f"no such file: {path}")
    except (OSError, ValueError) as error:
        return _without(source, f"cannot be read: {path}: {error}")
    if len(data) > MAX_BYTES:
        return _without(source, f"larger than {MAX_BYTES:,} bytes: {path}")
    places: list[Place] = []
    flaws: list[Flaw] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            at = Position(str(path), number, 1)
            value, problem = _object(line)
            if problem:
                flaws.append(Flaw(at, (), problem))
            else:
                places.append(Place(_tree(value, at)))
    if not places and not flaws:
        flaws.append(source.flaw(f"the file is empty: {path}"))
    return Lines(tuple(places), tuple(flaws), hashlib.sha256(data).hexdigest())


def lines_of_generator(source: Place, name: str, options: dict[str, Any]) -> Lines:
    """What a registered function makes of its options."""
    points = {point.name: point for point in entry_points(group=GENERATORS)}
    if name not in points:
        known = sorted(points) or ["none is installed"]
        return _without(source, not_a(name, "generator of prompts", known))
    try:
        made, again = (list(points[name].load()(dict(options))) for _ in range(2))
        text = json.dumps(made, allow_nan=False, sort_keys=True)
    except Exception as error:  # noqa: BLE001 - code of others: whatever it raises is its mistake
        return _without(source, f"the generator {name!r} fails: {type(error).__name__}: {error}")
    wrong = [(i, entry) for i, entry in enumerate(made) if not isinstance(entry, dict)]
    if wrong or not made:
        told = f"entry {wrong[0][0]} is {shown(wrong[0][1])}, no mapping" if wrong else "no entries"
        return _without(source, f"the generator {name!r} gives {told}")
    if made != again:
        return _without(source, f"the generator {name!r} gives another list each time")
    at = source.tree.nearest(source.path).at
    prefix = (*source.prefix, *source.path)
    places = tuple(
        Place(_tree(entry, at), prefix=(*prefix, i)) for i, entry in enumerate(json.loads(text))
    )
    return Lines(places, (), hashlib.sha256(text.encode()).hexdigest())


def _without(source: Place, message: str) -> Lines:
    return Lines((), (source.flaw(message),), "")


def _object(line: str) -> tuple[Any, str]:
    """The line's mapping, or what is wrong with it."""
    try:
        value = json.loads(line, object_pairs_hook=_distinct, parse_constant=_refused)
    except _NotJson as error:
        return None, str(error)
    except json.JSONDecodeError as error:
        return None, f"not JSON: {error.msg} at character {error.pos + 1}"
    except (RecursionError, ValueError) as error:
        return None, f"not JSON: {type(error).__name__}: {error}"
    if not isinstance(value, dict):
        return None, f"must be one JSON object, found {shown(value)}"
    if _is_deeper(value, MAX_DEPTH):
        return None, f"nested deeper than {MAX_DEPTH} levels"
    return value, ""


def _is_deeper(value: Any, levels: int) -> bool:
    """Level by level, so that no depth is too much for this function itself."""
    inner = [value]
    for _ in range(levels):
        inner = [part for one in inner for part in _parts(one)]
    return bool(inner)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotJson(f"duplicate key {twice!r}")
    return made


def _refused(word: str) -> Any:
    raise _NotJson(f"{word} is no JSON number")


def _tree(value: Any, at: Position) -> Tree:
    """A tree all of whose parts stand at one position."""
    if isinstance(value, dict):
        return Tree(dict(_children(value.items(), at)), at, at)
    if isinstance(value, list):
        return Tree([_tree(child, at) for child in value], at, at)
    return Tree(value, at, at)


def _children(items: Any, at: Position) -> Iterator[tuple[str, Tree]]:
    for key, child in items:
        yield key, _tree(child, at)
