"""Files from a model hub, through huggingface_hub, at a pinned revision only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.lock import Entry
from pytest_modelqa.core.errors import Unavailable, UsageError, missing_extra
from pytest_modelqa.core.model import ArtifactSpec

_PATTERNS = ("*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer.model", "*.jinja")
"""What a snapshot needs: never pickles, never code."""


def fetch(rest: str, spec: ArtifactSpec, entry: Entry | None, cache: Path) -> Path:
    """`ORG/NAME[:FILE]`: a file, or the snapshot's safetensors with their JSON.

    Nothing is asked of the network without a pin to compare the answer with. Raises Unavailable.
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
    revision = entry.revision if entry else spec.revision
    try:
        import huggingface_hub as hub  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise missing_extra(f"source {spec.source}", "huggingface-hub", "hub") from error
    where: dict[str, Any] = {
        "repo_id": repository,
        "revision": revision,
        "cache_dir": cache / "hub",
    }
    try:
        if file:
            return Path(hub.hf_hub_download(filename=file, **where))
        return Path(hub.snapshot_download(allow_patterns=list(_PATTERNS), **where))
    except Exception as error:
        raise Unavailable(
            f"{spec.source} at revision {revision} could not be fetched: "
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}",
            where=spec.key,
            remedy="check the network, HF_ENDPOINT and HF_TOKEN, and run the same command again",
        ) from error
