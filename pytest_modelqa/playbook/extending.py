"""`extends:`: a playbook on top of its templates, as one tree whose parts remember their file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.playbook.positions import Flaw, Tree, parse, read_bytes
from pytest_modelqa.playbook.problems import not_a
from pytest_modelqa.playbook.shipped import templates


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The merged tree; `sha256` covers the bytes of all files, the playbook's own first."""

    tree: Tree
    flaws: tuple[Flaw, ...]
    sha256: str


def read(path: Path) -> Source:
    """Read a playbook and all that it extends. Raises UsageError or PlaybookError."""
    digest = hashlib.sha256()
    seen = [path.resolve()]
    data = read_bytes(path)
    digest.update(data)
    tree, flaws = parse(data, str(path))
    top = tree
    while (base := _base(top, seen, flaws)) is not None:
        data = read_bytes(base)
        digest.update(data)
        top, more = parse(data, str(base))
        flaws += more
        tree = _merged(top, tree)
    return Source(tree=tree, flaws=tuple(flaws), sha256=digest.hexdigest())


def _base(tree: Tree, seen: list[Path], flaws: list[Flaw]) -> Path | None:
    """The file that a tree extends, if it can be read and was not read before."""
    link = tree.value.get("extends")
    if link is None or not isinstance(link.value, str) or not link.value:
        return None
    path = _target(link)
    if message := _unreadable(link.value, path, seen):
        flaws.append(Flaw(link.at, ("extends",), message))
        return None
    seen.append(path.resolve())
    return path


def _target(link: Tree) -> Path:
    name = str(link.value)
    return templates().get(name) or Path(link.at.file).parent / name


def _unreadable(name: str, path: Path, seen: list[Path]) -> str:
    try:
        resolved, there = path.resolve(), path.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, a lone surrogate, a loop
        return f"{name[:80]!a} is no path that this system can open"
    if resolved in seen:
        chain = " -> ".join(p.name for p in (*seen[seen.index(resolved) :], path))
        return f"extends itself: {chain}"
    if not there:
        known = list(templates())
        if path.suffix in (".yaml", ".yml"):
            return f"no such file: {path} (templates by name: {', '.join(known)})"
        return not_a(name, "template", known)
    try:
        read_bytes(path)
    except UsageError as error:
        return str(error)
    return ""


def _merged(base: Tree, top: Tree) -> Tree:
    """Mappings merge key by key; everything else is the upper one's."""
    if not (isinstance(base.value, dict) and isinstance(top.value, dict)):
        return top
    both = {**base.value, **top.value}
    for key in base.value.keys() & top.value.keys():
        both[key] = _merged(base.value[key], top.value[key])
    return Tree(both, top.at, top.key_at)
