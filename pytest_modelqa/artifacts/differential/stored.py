"""An artifact as tensors by canonical name, and what its metadata says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import apr, gguf, safetensors
from pytest_modelqa.artifacts.convert.apr_reader import kept_files
from pytest_modelqa.artifacts.differential import naming
from pytest_modelqa.artifacts.differential.reading import Source
from pytest_modelqa.artifacts.formats import recognise
from pytest_modelqa.artifacts.mix import FILE_TYPES
from pytest_modelqa.core.answer import Finding
from pytest_modelqa.core.errors import Refused

_LAYERS = re.compile(r"(?:^|\.)(?:layers|h|blk|block|blocks)\.(\d+)\.")
_MAX_JSON_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """`architecture` is GGUF's word, `""` where none is known.

    `metadata` is GGUF's or APR's; `files` the JSON files of a folder (or kept in an APR file), by
    name. `unmapped` are the names that have no place in the
    architecture.
    """

    path: Path
    format: str
    architecture: str
    tensors: Mapping[str, Source]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()

    @property
    def tied(self) -> bool:
        """Whether the embedding is the head, because none is stored."""
        return "output.weight" not in self.tensors

    @property
    def declared(self) -> str:
        """The type that most matrices of a GGUF file are to have; empty where none is declared."""
        number = self.metadata.get("general.file_type")
        return FILE_TYPES[number][1] if isinstance(number, int) and number in FILE_TYPES else ""

    def heads(self) -> tuple[int, ...]:
        """The numbers of heads that are stated, of queries and of keys."""
        config = self.files.get("config.json") or {}
        found = [
            self.metadata.get(f"{self.architecture}.attention.head_count"),
            self.metadata.get(f"{self.architecture}.attention.head_count_kv"),
            config.get("num_attention_heads"),
            config.get("num_key_value_heads"),
        ]
        return tuple(n for n in found if isinstance(n, int) and n > 0)


def open_stored(path: Path, architecture: str = "") -> Stored:
    """Read an artifact's header; `architecture` decides where the artifact itself says nothing.

    Raises Refused for a file that is not sound, OSError.
    """
    form = recognise(path)
    if form == "gguf":
        return _gguf(path)
    if form == "apr":
        return _apr(path, architecture)
    if form == "safetensors":
        return _safetensors(path, architecture)
    raise Refused(
        f"holds {form or 'no model that is known here'}; GGUF, safetensors or APR is needed",
        where=str(path),
        remedy=f"modelqa inspect {path}",
    )


def open_both(candidate: Path, reference: Path) -> tuple[Stored, Stored]:
    """Both sides; one that does not say its architecture takes the other's."""
    ours, theirs = open_stored(candidate), open_stored(reference)
    if not ours.architecture and theirs.architecture:
        ours = open_stored(candidate, theirs.architecture)
    if not theirs.architecture and ours.architecture:
        theirs = open_stored(reference, ours.architecture)
    return ours, theirs


def _sound(path: Path, findings: list[Finding]) -> None:
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        first = errors[0]
        raise Refused(
            f"{first.code} {first.where}: {first.message}",
            where=str(path),
            remedy=f"modelqa inspect {path}; get a sound copy",
        )


def _gguf(path: Path) -> Stored:
    header = gguf.read(path)
    _sound(path, header.findings)
    architecture = str(header.metadata.get("general.architecture", ""))
    tensors = {
        t.name: _conventional(
            t.name,
            Source(name=t.name, type=t.type, shape=tuple(reversed(t.shape)), file=path,
                   offset=t.offset, bytes=t.bytes),
            architecture,
            header.metadata,
        )
        for t in header.tensors
    }  # fmt: skip
    return Stored(
        path=path,
        format="gguf",
        architecture=architecture,
        tensors=tensors,
        metadata=header.metadata,
    )


def _conventional(
    name: str, source: Source, architecture: str, metadata: Mapping[str, Any]
) -> Source:
    """Undo what the converter of this architecture does to a tensor."""
    source = _as_heads(name, source)
    if architecture in naming.NORM_PLUS_ONE and naming.is_norm(name):
        return replace(source, offset_added=1.0)
    if architecture in naming.INTERLEAVED and (heads := head_count(name, architecture, metadata)):
        rows = source.shape[0]
        if rows % heads == 0 and rows // heads % 2 == 0:
            unit = rows // heads
            return replace(source, unit=unit, order=naming.interleaved(unit))
    return source


def _as_heads(name: str, source: Source) -> Source:
    """A bias of Q or K is a column: its rows are heads, as its matrix's are."""
    is_bias = bool(naming.head_rows(name)) and len(source.shape) == 1
    return replace(source, shape=(*source.shape, 1)) if is_bias else source


def head_count(name: str, architecture: str, metadata: Mapping[str, Any]) -> int:
    """How many heads the rows of a Q or K tensor are, by GGUF metadata; 0 for other tensors."""
    which = naming.head_rows(name)
    if not which:
        return 0
    heads = metadata.get(f"{architecture}.attention.head_count")
    keys = metadata.get(f"{architecture}.attention.head_count_kv", heads)
    found = keys if which == "k" else heads
    return found if isinstance(found, int) and found > 0 else 0


def _safetensors(path: Path, architecture: str) -> Stored:
    folder = path if path.is_dir() else path.parent
    header = safetensors.read_folder(folder) if path.is_dir() else safetensors.read_file(path)
    _sound(path, header.findings)
    found = [
        Source(name=t.name, type=t.type, shape=t.shape, file=t.file, offset=t.offset, bytes=t.bytes)
        for t in header.tensors
    ]
    files = {n: _json(folder / n) for n in _CONFIGURATION}
    return _named(path, "safetensors", found, files, architecture)


_CONFIGURATION = (
    "config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json",
)  # fmt: skip


def _apr(path: Path, architecture: str) -> Stored:
    header = apr.read(path)
    _sound(path, header.findings)
    found = [
        Source(name=t.name, type=t.type, shape=t.shape, file=path, offset=t.offset, bytes=t.bytes)
        for t in header.tensors
    ]
    kept = _kept(header.metadata)
    files = {n: _parsed(kept[n]) if n in kept else {} for n in _CONFIGURATION}
    stored = _named(path, "apr", found, files, architecture, header.metadata.get("architecture"))
    return replace(stored, metadata=header.metadata)


def _kept(metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """The model's own files that our APR writer keeps; those of other writers have none."""
    try:
        return kept_files(metadata)
    except Refused:
        return {}


def _named(
    path: Path,
    form: str,
    found: list[Source],
    files: Mapping[str, Any],
    architecture: str,
    said: Any = None,
) -> Stored:
    """Tensors with transformers' names, by their canonical ones."""
    config = files.get("config.json") or {}
    model_type = config.get("model_type") or said
    own = naming.gguf_architecture(model_type) if isinstance(model_type, str) else ""
    own = own or architecture
    layers = max((int(m[1]) + 1 for s in found if (m := _LAYERS.search(s.name))), default=0)
    canonical = naming.canonical_names(own, layers)
    tensors: dict[str, Source] = {}
    unmapped = []
    for source in found:
        if naming.is_buffer(source.name):
            continue
        name = canonical(source.name)
        if name and name not in tensors:
            tensors[name] = _as_heads(name, source)
        else:
            unmapped.append(source.name)
    return Stored(
        path=path,
        format=form,
        architecture=own,
        tensors=tensors,
        files=files,
        unmapped=tuple(unmapped),
    )


def _json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MAX_JSON_BYTES:
            return {}
        return _parsed(file.read_bytes())
    except OSError:
        return {}


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
