"""APR v2 files as safetensors folders: the same names, types, shapes and bytes.

The way back of `apr_writer`. A file is opened only after `artifacts.apr` found nothing wrong with
it; every tensor is compared with what was written before the folder counts as made.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts import apr, safetensors
from pytest_modelqa.artifacts.convert.apr_writer import DTYPE_IDS, FILES_KEY
from pytest_modelqa.artifacts.convert.kinds import SIDE_FILES
from pytest_modelqa.artifacts.convert.tensors import Entry, raw, write
from pytest_modelqa.core.errors import Refused

MAX_KEPT_BYTES = 256 << 20
"""A kept file inflates to no more than this: a bomb is refused, not unpacked."""


def unpack(source: Path, folder: Path) -> None:
    """Write model.safetensors and the kept files. Raises Refused, OSError."""
    header = apr.read(source)
    if header.findings:
        first = header.findings[0]
        raise Refused(f"{first.code} {first.where}: {first.message}", where=str(source))
    files = kept_files(header.metadata)
    names = {name.upper() for name in DTYPE_IDS}
    entries = []
    for tensor in header.tensors:
        if (dtype := tensor.type.upper()) not in names:
            raise Refused(
                f"tensor {tensor.name} has type {tensor.type}; only plain types are unpacked",
                remedy="give the safetensors or GGUF file that this one was made from",
            )
        entries.append(Entry(tensor.name, dtype, tuple(tensor.shape), tensor.bytes))
    data = _Mapped(source)
    places = [(t.offset, t.bytes) for t in header.tensors]
    write(folder / safetensors.SINGLE, entries, (data.at(*place) for place in places))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    compare(folder, entries, [data.at(*place) for place in places])


class _Mapped:
    """A file's bytes, mapped."""

    def __init__(self, file: Path) -> None:
        self._data = np.memmap(file, dtype=np.uint8, mode="r")

    def at(self, offset: int, count: int) -> NDArray[np.uint8]:
        return self._data[offset : offset + count]


def compare(folder: Path, entries: Sequence[Entry], expected: Sequence[NDArray[np.uint8]]) -> None:
    """Tensor by tensor: name, type, shape and every byte. Raises Refused where one differs."""
    header = safetensors.read_folder(folder)
    if header.findings:
        raise Refused(f"what was written is not sound: {header.findings[0].message}")
    found = {t.name: t for t in header.tensors}
    for entry, values in zip(entries, expected, strict=True):
        tensor = found.pop(entry.name, None)
        if tensor is None or (tensor.type, tensor.shape) != (entry.dtype, entry.shape):
            raise Refused(f"tensor {entry.name} was not written as it is in the source")
        if not np.array_equal(raw(tensor), values):
            raise Refused(f"the bytes of {entry.name} differ from the source's")
    if found:
        raise Refused(f"tensor {next(iter(found))} is not in the source")


def kept_files(metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """The files kept in an APR file's metadata, by name. Raises Refused.

    A name that is not a model's is refused, so that none leaves the folder.
    """
    kept = metadata.get(FILES_KEY)
    if not isinstance(kept, dict) or "config.json" not in kept:
        raise Refused(
            "the file carries no config.json: another tool wrote it",
            remedy="modelqa convert the safetensors or GGUF file that it was made from",
        )
    if strange := next((n for n in kept if n not in SIDE_FILES), None):
        raise Refused(f"the kept file {str(strange)[:80]!r} does not belong to a model")
    files = {name: _content(name, value) for name, value in kept.items()}
    try:
        json.loads(files["config.json"])
    except (ValueError, RecursionError) as error:
        raise Refused(f"the kept config.json is no JSON: {error}") from error
    return files


def _content(name: str, value: Any) -> bytes:
    try:
        if "text" in value:
            return bytes(value["text"].encode())
        inflating = zlib.decompressobj()
        packed = base64.b64decode(value["deflated"], validate=True)
        content = inflating.decompress(packed, MAX_KEPT_BYTES)
        if inflating.eof:
            return content
        problem = f"does not end within {MAX_KEPT_BYTES:,} bytes"
    except (TypeError, KeyError, AttributeError, ValueError, binascii.Error, zlib.error) as error:
        problem = f"cannot be read: {error}"
    raise Refused(f"the kept file {name} {problem}")
