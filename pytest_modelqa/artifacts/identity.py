"""What a receipt says of an artifact: the hashes of its files, its tokenizer and its template."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.convert.kinds import kind_of
from pytest_modelqa.artifacts.derivation import for_engine
from pytest_modelqa.artifacts.hashing import cache_root, file_names, hashes_of
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.errors import Refused, Unavailable
from pytest_modelqa.core.ids import canonical, digest
from pytest_modelqa.core.model import Artifact, ArtifactSpec
from pytest_modelqa.core.receipt import HashedFile, ReceivedArtifact

_TOKENIZER_FILES = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
)
_TEMPLATE = "tokenizer.chat_template"
_TOKENIZER = "tokenizer."


def identities(
    specs: Iterable[ArtifactSpec], siblings: Mapping[str, ArtifactSpec], *, folder: Path
) -> dict[str, ReceivedArtifact]:
    """Describe, by key, those artifacts that are here and sound. `folder` is the playbook's."""
    cache = cache_root()
    found = {}
    for spec in specs:
        try:
            artifact = provision(spec, siblings, folder=folder)
            opened, _ = for_engine(artifact, cache)
            found[spec.key] = identity(artifact, opened, cache)
        except (Unavailable, Refused, OSError):
            continue  # its cases say why; there is nothing to describe
    return found


def identity(artifact: Artifact, opened: Path, cache: Path) -> ReceivedArtifact:
    """Describe an artifact whose header is sound. `opened` is what an engine reads in its place.

    Raises OSError.
    """
    tokenizer, template = _of_folder(opened, cache) if opened.is_dir() else _of_file(opened)
    return ReceivedArtifact(
        key=artifact.spec.key,
        format=artifact.spec.format,
        quantization=kind_of(artifact.path).quantization,
        source=artifact.spec.source,
        sha256=artifact.sha256,
        bytes=artifact.bytes,
        pinned=artifact.pinned,
        files=hashed_files(artifact.path, cache),
        tokenizer_sha256=tokenizer,
        template_sha256=template,
        parent_sha256=artifact.parent_sha256,
    )


def hashed_files(path: Path, cache: Path) -> tuple[HashedFile, ...]:
    """The files of an artifact, sorted by name."""
    names = [path.name] if path.is_file() else file_names(path)
    folder = path.parent if path.is_file() else path
    hashes = hashes_of([folder / name for name in names], cache)
    return tuple(
        HashedFile(name=name, sha256=sha256, bytes=(folder / name).stat().st_size)
        for name, sha256 in zip(names, hashes, strict=True)
    )


def _of_folder(folder: Path, cache: Path) -> tuple[str, str]:
    """The hashes of tokenizer and template; those of the tokenizer's files are hashed together."""
    present = [name for name in _TOKENIZER_FILES if (folder / name).is_file()]
    hashes = hashes_of([folder / name for name in present], cache)
    pairs = [list(pair) for pair in zip(present, hashes, strict=True)]
    return digest(canonical(pairs)) if pairs else "", _hashed(_folder_template(folder))


def _of_file(file: Path) -> tuple[str, str]:
    """The same of a GGUF file, whose metadata hold both."""
    found = gguf.read(file).metadata
    own = {k: v for k, v in found.items() if k.startswith(_TOKENIZER) and k != _TEMPLATE}
    return digest(repr(sorted(own.items()))) if own else "", _hashed(found.get(_TEMPLATE))


def _folder_template(folder: Path) -> Any:
    alone = folder / "chat_template.jinja"
    if alone.is_file():
        return alone.read_text(encoding="utf-8")
    try:
        text = (folder / "tokenizer_config.json").read_text(encoding="utf-8")
        return json.loads(text).get("chat_template")
    except (OSError, ValueError, AttributeError):
        return None  # none, or none that any engine could read: there is no template


def _hashed(template: Any) -> str:
    """A text is hashed as it is, so that the same template has one hash in every format."""
    if template is None:
        return ""
    return digest(template if isinstance(template, str) else canonical(template))
