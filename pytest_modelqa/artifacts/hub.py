"""Files from a model hub, through huggingface_hub, at a pinned revision only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.lock import Entry
from pytest_modelqa.core.errors import Unavailable, UsageError, missing_extra
from pytest_modelqa.core.ids import content_key
from pytest_modelqa.core.model import ArtifactSpec

_PATTERNS = ("*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer.model", "*.jinja")
"""What a snapshot needs: never pickles, never code."""


def fetch(rest: str, spec: ArtifactSpec, entry: Entry | None, cache: Path) -> Path:
    """`ORG/NAME[:FILE]`: a file, or the snapshot's safetensors with their JSON.

    Nothing is asked of the network without a pin to compare the answer with. Each list of files
    has a cache folder of its own: a snapshot never holds what another request fetched. Raises
    Unavailable, UsageError.
    """
    repository, _, file = rest.partition(":")
    if repository.count("/") != 1:
        raise UsageError(f"{spec.source!r} is not hf:ORG/NAME[:FILE]", where=spec.key)
    if not (entry or spec.sha256):
        raise Unavailable(
            f"{spec.source} is not pinned: no SHA-256 in the playbook or a lockfile",
            where=spec.key,
            remedy="add `sha256:` to the artifact, or an entry to models.lock.json",
        )
    revision = _revision(spec, entry)
    listed = [f.path for f in entry.files] if entry else list(_PATTERNS)
    wanted = [file] if file else listed
    try:
        import huggingface_hub as hub  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise missing_extra(f"source {spec.source}", "huggingface-hub", "hub") from error
    where: dict[str, Any] = {
        "repo_id": repository,
        "revision": revision,
        "cache_dir": cache / "hub" / content_key(wanted),
    }
    try:
        if file:
            return Path(hub.hf_hub_download(filename=file, **where))
        return Path(hub.snapshot_download(allow_patterns=wanted, **where))
    except Exception as error:
        raise Unavailable(
            f"{spec.source} at revision {revision} could not be fetched: "
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}",
            where=spec.key,
            remedy="check the network, HF_ENDPOINT and HF_TOKEN, and run the same command again",
        ) from error


def _revision(spec: ArtifactSpec, entry: Entry | None) -> str:
    """The lockfile's, where it has the source; a playbook that says another one is asked about."""
    if entry is None:
        return spec.revision or "main"
    if spec.revision not in ("", "main", entry.revision):
        raise UsageError(
            f"the playbook says revision {spec.revision!r} of {spec.source}, "
            f"the lockfile pins {entry.revision!r}",
            where=spec.key,
            remedy="give both the same revision, and the lockfile its hashes",
        )
    return entry.revision
