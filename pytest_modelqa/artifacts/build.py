"""Models that are made here: `build:NAME`, by a builder found through an entry point.

A builder is a module that runs as `python -m MODULE FOLDER`, fills that folder with the same bytes
for the same libraries, and writes its progress to stderr. It is never imported here: entry-point
group `modelqa.builders` names it (`MODULE`, or `MODULE:VARIANT` for `python -m MODULE FOLDER
VARIANT`), and it runs in a process of its own, once for each version of its source and of its
libraries. Its source is the Python files of its package, and what the package's `sources.txt`
lists, one pattern a line, relative to the package.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path

from pytest_modelqa.artifacts.folders import publish
from pytest_modelqa.core.errors import ModelQAError, Unavailable, UsageError, missing_extra
from pytest_modelqa.core.ids import canonical, digest

GROUP = "modelqa.builders"
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors")
"""What a builder trains with; their versions are part of what its result is known by."""
LISTING = "sources.txt"
_KEPT_LINES = 20


def built(name: str, cache: Path, say: Callable[[str], None] = lambda _: None) -> Path:
    """The folder of a `build:NAME` source, made now if it is not in the cache; `say` is told how.

    Raises UsageError (no such builder), Unavailable (its libraries are missing), ModelQAError (it
    failed, with the last of what it wrote), OutputError (the cache cannot be written).
    """
    entry = _builder(name)
    target = cache / "built" / f"{name}-{_key(name, entry.module)}"
    publish(target, lambda part: _run(name, entry, part, say))
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
    source = {
        named: hashlib.sha256(path.read_bytes()).hexdigest()
        for named, path in sources(module).items()
    }
    return digest(canonical({"source": source, "versions": versions}))[:32]


def sources(module: str) -> dict[str, Path]:
    """What a builder is made of, by path from its package, found without importing anything."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    roots = [
        Path(root, *rest) for root in (spec.submodule_search_locations if spec else None) or ()
    ]
    found = sorted(path for root in roots for path in root.glob("*.py"))
    if not found:
        raise Unavailable(
            f"the builder {module} is registered, but its package is not here",
            remedy="python -m pip install --force-reinstall pytest-modelqa",
        )
    package = found[0].parent
    return {path.name: path for path in found} | dict(_listed(package))


def _listed(package: Path) -> Iterator[tuple[str, Path]]:
    """The files that `sources.txt` names. Raises Unavailable where a pattern finds none."""
    listing = package / LISTING
    for pattern in listing.read_text(encoding="utf-8").split() if listing.is_file() else ():
        files = sorted(package.glob(pattern))
        if not files:
            raise Unavailable(
                f"{pattern} names no file",
                where=str(listing),
                remedy="python -m pip install --force-reinstall pytest-modelqa",
            )
        for file in files:
            yield Path(pattern).with_name(file.name).as_posix(), file


def _run(name: str, entry: EntryPoint, folder: Path, say: Callable[[str], None]) -> None:
    variant = [entry.attr] if entry.attr else []
    command = [sys.executable, "-m", entry.module, str(folder), *variant]
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
            remedy=f"python -m {' '.join([entry.module, 'FOLDER', *variant])} shows all it says",
        )
