"""Writing safetensors: entries first, then tensor by tensor, so that memory stays small."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts import safetensors
from pytest_modelqa.artifacts.convert.floats import TORCH_NAMES, WIDTHS, decode, encode
from pytest_modelqa.artifacts.convert.kinds import SIDE_FILES

Bytes = NDArray[Any]


class Entry(NamedTuple):
    """A tensor to be written: safetensors' dtype, shape as torch has it, bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


def write(file: Path, entries: Sequence[Entry], data: Iterable[Bytes]) -> None:
    """Write `model.safetensors`; `data` yields each entry's values in the entries' order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for entry in entries:
        offsets = [end, end + entry.bytes]
        header[entry.name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": offsets,
        }
        end += entry.bytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for values in data:
            out.write(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)


def raw(tensor: safetensors.Tensor) -> Bytes:
    """A tensor's bytes, mapped, not read."""
    if not tensor.bytes:
        return np.empty(0, dtype=np.uint8)
    return np.memmap(
        tensor.file, dtype=np.uint8, mode="r", offset=tensor.offset, shape=(tensor.bytes,)
    )


def cast(source: Path, folder: Path, dtype: str) -> None:
    """Copy a safetensors folder with every floating-point tensor as `dtype`. Raises Refused."""
    tensors = safetensors.read_folder(source).tensors

    def after(tensor: safetensors.Tensor) -> Entry:
        if tensor.type not in WIDTHS:
            return Entry(tensor.name, tensor.type, tensor.shape, tensor.bytes)
        count = tensor.bytes // WIDTHS[tensor.type] * WIDTHS[dtype]
        return Entry(tensor.name, dtype, tensor.shape, count)

    def values(tensor: safetensors.Tensor) -> Bytes:
        stored = raw(tensor)
        if tensor.type not in WIDTHS or tensor.type == dtype:
            return stored
        return encode(decode(stored, tensor.type), dtype, tensor.name)

    write(folder / safetensors.SINGLE, [after(t) for t in tensors], map(values, tensors))
    for name in SIDE_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    _declare(folder / "config.json", dtype)


def _declare(file: Path, dtype: str) -> None:
    """What the configuration says of the type is what the tensors have."""
    if not file.is_file():
        return
    config = json.loads(file.read_text(encoding="utf-8"))
    key = "torch_dtype" if "torch_dtype" in config else "dtype"
    config[key] = TORCH_NAMES[dtype]
    file.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
