"""What the shape of a configuration cannot say: keys that exclude or need one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os.path import normpath
from pathlib import PurePath
from typing import Any

from pytest_modelqa.artifacts.sources import parse as parse_source
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.playbook.positions import Flaw, Key, Tree

LEAST_SIZE = 9
"""Records of all nine sets together: one of each."""


def semantic_flaws(tree: Tree) -> Iterator[Flaw]:
    """All of them; values of a wrong type are left to the shape."""
    for rule in _RULES:
        yield from rule(tree)


def _flaw(tree: Tree, path: tuple[Key, ...], message: str) -> Flaw:
    return Flaw(tree.nearest(path).head, path, message)


def _at(tree: Tree, *path: Key) -> Any:
    """The plain value at a path, None where there is none."""
    here = tree.nearest(path)
    found: Tree | None = tree
    for key in path:
        found = found.child(key) if found else None
    return here.plain() if found else None


def _source(tree: Tree) -> Iterator[Flaw]:
    source = _at(tree, "model", "source")
    if not isinstance(source, str):
        return
    try:
        parsed = parse_source(source)
    except UsageError as error:
        yield _flaw(tree, ("model", "source"), f"{error.what}; write {error.remedy}")
        return
    if _at(tree, "model", "revision") and parsed.scheme != "hf":
        yield _flaw(tree, ("model", "revision"), "belongs to hf: sources alone; remove it")


def _either_files_or_generator(tree: Tree) -> Iterator[Flaw]:
    dataset = _at(tree, "dataset")
    if not isinstance(dataset, dict):
        return
    if "synthetic" in dataset:
        for key in ("train", "eval"):
            if dataset.get(key):
                yield _flaw(tree, ("dataset", key), "either files or `synthetic`, not both")
    elif not dataset.get("train"):
        yield _flaw(tree, ("dataset",), "needs `train`, a list of files, or `synthetic`")


def _sizes_of_what_is_made(tree: Tree) -> Iterator[Flaw]:
    made = _at(tree, "dataset", "synthetic")
    if not isinstance(made, dict):
        return
    sets = made.get("sets")
    names = [s.get("set") for s in sets if isinstance(s, dict)] if isinstance(sets, list) else []
    path = ("dataset", "synthetic")
    if bool(made.get("size")) == bool(sets):
        yield _flaw(tree, path, "needs either `size` or `sets`")
    elif sets and not {"eval"} < set(names):
        yield _flaw(tree, (*path, "sets"), "needs `eval` and one training set at least")
    elif isinstance(size := made.get("size"), int) and size < LEAST_SIZE and not sets:
        yield _flaw(tree, (*path, "size"), f"{size} records do not fill nine sets; at least 9")
    for i, name in enumerate(names):
        if name in names[:i]:
            yield _flaw(tree, (*path, "sets", i, "set"), f"{name!r} is counted twice")


def _distinct_files(tree: Tree) -> Iterator[Flaw]:
    """Sets are known by the names of their files: in statistics, hashes and messages."""
    seen: dict[str, str] = {}
    for path in (*_train_paths(tree), ("dataset", "eval", "file")):
        file = _at(tree, *path)
        if not isinstance(file, str):
            continue
        name = PurePath(file).stem
        if name in seen:
            same = normpath(seen[name]) == normpath(file)
            message = f"{file!r} is named twice" if same else f"{seen[name]!r} has that name too"
            yield _flaw(tree, path, f"{message}; each set has a file and a name of its own")
        seen.setdefault(name, file)


def _train_paths(tree: Tree) -> Iterator[tuple[Key, ...]]:
    files = _at(tree, "dataset", "train")
    for i in range(len(files) if isinstance(files, list) else 0):
        yield "dataset", "train", i, "file"


def _distinct_modules(tree: Tree) -> Iterator[Flaw]:
    modules = _at(tree, "lora", "target_modules")
    for i, name in enumerate(modules if isinstance(modules, list) else ()):
        if name in modules[:i]:
            yield _flaw(tree, ("lora", "target_modules", i), f"{name!r} is listed twice")


def _half_precision_on_cpu(tree: Tree) -> Iterator[Flaw]:
    if (_at(tree, "hardware", "device"), _at(tree, "hardware", "precision")) == ("cpu", "fp16"):
        message = "fp16 does not train on the cpu: its range underflows; write bf16 or fp32"
        yield _flaw(tree, ("hardware", "precision"), message)


def _warm_up_within_the_run(tree: Tree) -> Iterator[Flaw]:
    steps, warmup = (_at(tree, "training", key) for key in ("max_steps", "warmup_steps"))
    warmup = 100 if warmup is None else warmup
    if isinstance(steps, int) and isinstance(warmup, int) and 0 < steps <= warmup:
        message = f"the warm-up of {warmup} steps must be shorter than max_steps, {steps}"
        yield _flaw(tree, ("training", "warmup_steps"), message)


_RULES: tuple[Callable[[Tree], Iterator[Flaw]], ...] = (
    _source,
    _either_files_or_generator,
    _sizes_of_what_is_made,
    _distinct_files,
    _distinct_modules,
    _half_precision_on_cpu,
    _warm_up_within_the_run,
)
