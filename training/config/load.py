"""A configuration file to a `TrainingConfig`, or to all of its mistakes, each with its position."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pytest_modelqa.core import ids
from pytest_modelqa.core.errors import PlaybookError, Problem, UsageError
from pytest_modelqa.playbook.positions import MAX_BYTES, Flaw, Tree, parse
from pytest_modelqa.playbook.problems import flaws_of
from training.config.border import model_of, value_of
from training.config.semantics import semantic_flaws
from training.config.values import TrainingConfig

NOT_IN_FILES = ("path", "sha256")
SHIPPED = Path(__file__).parents[1] / "configs"
"""The configurations that come with the package."""


class ConfigError(PlaybookError):
    """One or more mistakes in a training configuration, each with line, column and key."""


def load(path: Path) -> TrainingConfig:
    """Read and validate a configuration, JSON or YAML (of which JSON is a part).

    Raises ConfigError with every mistake of the file, UsageError where there is no such file.
    Says nothing about the files that it names: see `require_files`.
    """
    tree, flaws = read_tree(path)
    doc = _validated(tree, flaws)
    told: dict[tuple[Any, ...], Flaw] = {}
    for flaw in (*flaws, *semantic_flaws(tree)):
        told.setdefault(flaw.path, flaw)
    if told or doc is None:
        raise ConfigError(str(path), _problems(told.values()))
    more = {"path": path, "sha256": digest(doc.model_dump(mode="json"))}
    config: TrainingConfig = value_of(TrainingConfig, doc, more)
    return config


def read_tree(path: Path) -> tuple[Tree, list[Flaw]]:
    """The file's values with their positions. Raises ConfigError where it is no single mapping."""
    data = _bytes(path)
    if not data.strip():
        raise ConfigError(str(path), [Problem(1, 1, "", "the file is empty")])
    try:
        return parse(data, str(path))
    except PlaybookError as error:
        raise ConfigError(str(path), error.problems) from None


def digest(values: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration's values with all defaults, however its file is written."""
    return ids.digest(ids.canonical(values))


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        names = ", ".join(sorted(p.name for p in SHIPPED.glob("*.json")))
        raise UsageError(
            f"the configuration cannot be read: {error.strerror}",
            where=str(path),
            remedy=f"copy one that comes with the package ({names})",
        ) from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"larger than {MAX_BYTES:,} bytes: no configuration", where=str(path))
    return data


def _validated(tree: Tree, flaws: list[Flaw]) -> BaseModel | None:
    """Through JSON text, so that the strict models still take lists for tuples."""
    model = model_of(TrainingConfig, NOT_IN_FILES)
    try:
        return model.model_validate_json(json.dumps(tree.plain()))
    except ValidationError as error:
        flaws += flaws_of(error, tree, model)
        return None


def _problems(flaws: Iterable[Flaw]) -> list[Problem]:
    return [flaw.problem for flaw in flaws]
