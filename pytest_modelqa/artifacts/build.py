"""Models that are made here: `build:NAME`, by a builder found through an entry point.

A builder is a module that runs as `python -m MODULE FOLDER`, fills that folder with the same bytes
for the same libraries, and writes its progress to stderr. It is never imported here: entry-point
group `modelqa.builders` names it, and it runs in a process of its own, once for each version of
its source and of its libraries.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path

from pytest_modelqa.artifacts.folders import publish
from pytest_modelqa.core.errors import ModelQAError, Unavailable, UsageError, missing_extra
from pytest_modelqa.core.ids import canonical, digest

GROUP = "modelqa.builders"
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors")
"""What a builder trains with; their versions are part of what its result is known by."""
_KEPT_LINES = 20


def built(name: str, cache: Path, say: Callable[[str], None] = lambda _: None) -> Path:
    """The folder of a `build:NAME` source, made now if it is not in the cache; `say` is told how.

    Raises UsageError (no such builder), Unavailable (its libraries are missing), ModelQAError (it
    failed, with the last of what it wrote), OutputError (the cache cannot be written).
    """
    entry = _builder(name)
    target = cache / "built" / f"{name}-{_key(name, entry.module)}"
    publish(target, lambda part: _run(name, entry.module, part, say))
    return target


def builders() -> tuple[str, ...]:
    """The names of all builders that are installed, sorted."""
    return tuple(sorted(entry_points(group=GROUP).names))


def _builder(name: str) -> EntryPoint:
    for entry in entry_points(group=GROUP, name=name):
        return entry
    known = ", ".join(builders()) or "none is installed"
    raise UsageError(f"there is no builder {name!r}", remedy=f"one of: {known}")


def _key(name: str, module: str) -> str:
    """What the result depends on: the builder's source and the versions of its libraries."""
    try:
        versions = {library: version(library) for library in LIBRARIES}
    except PackageNotFoundError as error:
        raise missing_extra(f"building {name}", str(error.name), "hf") from error
    source = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sources(module)}
    return digest(canonical({"source": source, "versions": versions}))[:32]


def sources(module: str) -> list[Path]:
    """The Python files of a package, found without importing it or its parents."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    roots = spec.submodule_search_locations if spec else None
    found = sorted(p for root in roots or () for p in Path(root, *rest).glob("*.py"))
    if not found:
        raise Unavailable(
            f"the builder {module} is registered, but its package is not here",
            remedy="python -m pip install --force-reinstall pytest-modelqa",
        )
    return found


def _run(name: str, module: str, folder: Path, say: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", module, str(folder)]
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        for line in process.stderr or ():
            last.append(line.rstrip("\n"))
            say(last[-1])
    if process.returncode:
        raise ModelQAError(
            f"the builder {name} ended with {process.returncode}:\n" + "\n".join(last),
            where=f"build:{name}",
            remedy=f"python -m {module} FOLDER shows all it says",
        )
