"""Which files a configuration names, and which of them are not there: all told at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytest_modelqa.artifacts.sources import parse as parse_source
from pytest_modelqa.core.errors import Problem
from pytest_modelqa.playbook.positions import Key, Tree, dotted
from training.config.load import ConfigError, read_tree
from training.config.values import TrainingConfig


def missing(config: TrainingConfig) -> tuple[tuple[tuple[Key, ...], Path], ...]:
    """Key and path of every file and folder that is named and is not there, or is empty."""
    return tuple((key, path) for key, path in _named(config) if not _there(path))


def require_files(config: TrainingConfig) -> None:
    """Raise ConfigError that lists every missing file with the line that names it."""
    absent = missing(config)
    if not absent:
        return
    tree, _ = read_tree(config.path)
    raise ConfigError(str(config.path), [_problem(tree, key, path) for key, path in absent])


def _named(config: TrainingConfig) -> Iterator[tuple[tuple[Key, ...], Path]]:
    source = parse_source(config.model.source)
    if source.scheme == "file":
        yield ("model", "source"), Path(source.name)
    for i, part in enumerate(config.dataset.train):
        yield ("dataset", "train", i, "file"), Path(part.file)
    if config.dataset.eval is not None:
        yield ("dataset", "eval", "file"), Path(config.dataset.eval.file)


def _there(path: Path) -> bool:
    if path.is_dir():
        return any(path.iterdir())
    return path.is_file() and path.stat().st_size > 0


def _problem(tree: Tree, key: tuple[Key, ...], path: Path) -> Problem:
    at = tree.nearest(key).at
    state = "is empty" if path.exists() else "does not exist"
    return Problem(at.line, at.column, dotted(key), f"{path} {state}; {_remedy(key, path)}")


def _remedy(key: tuple[Key, ...], path: Path) -> str:
    if key[0] == "model":
        return "put the model there, or name another source"
    return f"`modelqa train synth --out {path.parent}` writes synthetic sets"
