"""A sandbox of stubs: what a tool call would meet in a tree of files. Nothing is run or written.

The tree is a mapping of paths to contents that lives in the playbook. A stub says only whether the
call would have succeeded, so calls that would write are tried against the tree and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

Files = Mapping[str, str]
Arguments = Mapping[str, Any]


class Failed(ValueError):
    """The call would have failed, and why."""


def run(tool: str, arguments: Arguments, files: Files) -> str:
    """What the stub of a tool says. Raises Failed where the call would not have succeeded."""
    for key in ("path", "file", "folder"):
        if isinstance(arguments.get(key), str):
            _require_inside(arguments[key])
    return STUBS[tool](arguments, files)


def _read(arguments: Arguments, files: Files) -> str:
    return f"{len(files[_existing(arguments, files)])} characters read"


def _create(arguments: Arguments, files: Files) -> str:
    path = _text(arguments, "path")
    if _plain(path) in _paths(files):
        raise Failed(f"{path} exists already")
    if not _text(arguments, "content").strip():
        raise Failed(f"{path} would be created without content")
    return "would be created"


def _edit(arguments: Arguments, files: Files) -> str:
    path, old = _existing(arguments, files), _text(arguments, "old")
    if not old or old not in files[path]:
        raise Failed(f"{path} does not hold {old!r}")
    if old == _text(arguments, "new"):
        raise Failed("the edit changes nothing")
    return f"{files[path].count(old)} places would be changed"


def _delete(arguments: Arguments, files: Files) -> str:
    return f"{_existing(arguments, files)} would be deleted"


def _list(arguments: Arguments, files: Files) -> str:
    return f"{len(_below(_text(arguments, 'path'), files))} files listed"


def _search(arguments: Arguments, files: Files) -> str:
    query = _text(arguments, "query")
    places = _below(arguments.get("path", "."), files)
    hits = sum(query in files[path] for path in places)
    if not query or not hits:
        raise Failed(f"{query!r} is found in none of {len(places)} files")
    return f"found in {hits} files"


def _test(arguments: Arguments, files: Files) -> str:
    return f"{_existing(arguments, files)} would be tested"


STUBS: Mapping[str, Callable[[Arguments, Files], str]] = MappingProxyType(
    {
        "read_file": _read,
        "create_file": _create,
        "edit_file": _edit,
        "delete_file": _delete,
        "list_files": _list,
        "search": _search,
        "run_tests": _test,
    }
)
"""By the name of the tool. A command of a shell has no stub: it can mean anything."""


def _existing(arguments: Arguments, files: Files) -> str:
    path = _text(arguments, "path")
    known = _paths(files)
    if _plain(path) not in known:
        raise Failed(f"no file {path}, there are {', '.join(sorted(files)[:5])}")
    return known[_plain(path)]


def _below(folder: str, files: Files) -> list[str]:
    parent = PurePosixPath(_plain(folder))
    found = [
        real for path, real in _paths(files).items() if PurePosixPath(path).is_relative_to(parent)
    ]
    if not found:
        raise Failed(f"no folder {folder}")
    return found


def _paths(files: Files) -> dict[str, str]:
    return {_plain(path): path for path in files}


def _plain(path: str) -> str:
    """Without `./` at the front; `.` itself is the root."""
    return str(PurePosixPath(path))


def _require_inside(path: str) -> None:
    if path.startswith(("/", "~", "\\")) or ".." in PurePosixPath(path).parts or ":" in path[:3]:
        raise Failed(f"{path} leads out of the project")


def _text(arguments: Arguments, key: str) -> str:
    value = arguments.get(key)
    if not isinstance(value, str):
        raise Failed(f"{key} is no text")
    return value
