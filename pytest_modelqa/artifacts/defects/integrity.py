"""Files that are not whole, or not what their header says."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pytest_modelqa.artifacts.defects.defect import Change, Defect, DefectClass, Inapplicable
from pytest_modelqa.artifacts.defects.gguf_edit import Edit, Floats, patching
from pytest_modelqa.artifacts.defects.gguf_layout import Bytes
from pytest_modelqa.artifacts.defects.subject import Subject

_SIZE_BYTES = 8
_PLAIN = frozenset({"F32", "F16", "BF16"})
BROKEN = "broken file"
"""What a defect of the bytes is called where the diagnosis has nothing to compare."""


def _defect(
    name: str, what: str, change: Callable[[Subject], Change | Inapplicable], *causes: str
) -> Defect:
    return Defect(
        name=name,
        category=DefectClass.INTEGRITY,
        what=what,
        causes=causes or (BROKEN,),
        caught_by="G0",
        change=change,
    )


def _bytes(patch: Callable[[Path], None]) -> Callable[[Subject], Change | Inapplicable]:
    return lambda subject: Change(patch=patch)  # noqa: ARG005 - any file has bytes


def _cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _cut_header(path: Path) -> None:
    with patching(path) as (_, layout):
        end = next(iter(layout.info_at.values()))
    os.truncate(path, end // 2)


def _lengthened(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(range(256)) * 16)


def _flipped(offset: int, value: bytes) -> Callable[[Path], None]:
    def patch(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(value)

    return patch


def _key_length(path: Path) -> None:
    with patching(path) as (data, layout):
        key, at = list(layout.header.key_offsets.items())[1]
        start = at - 4 - len(key.encode()) - 8
        data[start + 3] ^= 0x40


def _count(offset: int, difference: int) -> Callable[[Path], None]:
    def patch(path: Path) -> None:
        with patching(path) as (data, _):
            (count,) = struct.unpack_from("<Q", data, offset)
            struct.pack_into("<Q", data, offset, count + difference)

    return patch


def _mislabelled(subject: Subject) -> Change | Inapplicable:
    """The type number alone: the bytes are still those of the other type."""
    name = subject.tensor("ffn_down")

    def patch(path: Path) -> None:
        with patching(path) as (data, layout):
            tensor = layout.tensors[name]
            at = layout.info_at[name] + 4 + 8 * len(tensor.shape)
            data[at : at + 4] = struct.pack("<I", 0 if tensor.type != "F32" else 1)

    return _on(subject, name, patch)


def _overlapping(subject: Subject) -> Change | Inapplicable:
    name = subject.tensor("attn_v")

    def patch(path: Path) -> None:
        with patching(path) as (data, layout):
            names = list(layout.tensors)
            before = layout.tensors[names[names.index(name) - 1]]
            at = layout.info_at[name] + 4 + 8 * len(layout.tensors[name].shape) + 4
            base = layout.tensors[names[0]].offset
            data[at : at + 8] = struct.pack("<Q", before.offset - base)

    return _on(subject, name, patch)


def _reshaped(subject: Subject) -> Change | Inapplicable:
    name = subject.tensor("ffn_up")

    def patch(path: Path) -> None:
        with patching(path) as (data, layout):
            at = layout.info_at[name] + 4
            sizes = layout.tensors[name].shape
            data[at : at + 2 * _SIZE_BYTES] = struct.pack("<QQ", *reversed(sizes))

    return _on(subject, name, patch)


def _on(subject: Subject, name: str, patch: Callable[[Path], None]) -> Change | Inapplicable:
    if not subject.has(name):
        return Inapplicable(f"there is no {name}")
    return Change(place=name, patch=patch)


def _missing(subject: Subject) -> Change | Inapplicable:
    name = subject.tensor("ffn_up")
    if not subject.has(name):
        return Inapplicable(f"there is no {name}")
    return Change(place=name, tensors={name: Edit(remove=True)})


def _misnamed(subject: Subject) -> Change | Inapplicable:
    name, other = subject.tensor("attn_output"), subject.tensor("attn_out")
    if not subject.has(name) or subject.format != "gguf":
        return Inapplicable(f"there is no {name} in a GGUF file")
    return Change(place=name, tensors={name: Edit(name=other)})


def _nonfinite(short: str, value: float) -> Callable[[Subject], Change | Inapplicable]:
    """The block's scale, or the value itself where the type has no scale."""

    def change(subject: Subject) -> Change | Inapplicable:
        name = subject.tensor(short)
        if not subject.has(name):
            return Inapplicable(f"there is no {name}")
        if subject.types[name] in _PLAIN:
            return Change(place=name, tensors={name: Edit(values=_set_one(value))})
        return Change(place=name, tensors={name: Edit(raw=_scale_of_one(value))})

    return change


def _set_one(value: float) -> Callable[[Floats], Floats]:
    def edit(values: Floats) -> Floats:
        values.reshape(-1)[values.size // 3] = value
        return values

    return edit


def _scale_of_one(value: float) -> Callable[[Bytes], Bytes]:
    """The types that gguf writes begin each block with a float16 scale."""

    def edit(raw: Bytes) -> Bytes:
        out = raw.copy()
        out[raw.shape[0] // 2, :2] = np.frombuffer(np.float16(value).tobytes(), dtype=np.uint8)
        return out

    return edit


DEFECTS = (
    _defect("truncated", "The second half of the file is missing.", _bytes(_cut_in_half)),
    _defect("truncated-header", "The file ends inside its metadata.", _bytes(_cut_header)),
    _defect("trailing-bytes", "4,096 bytes follow the last tensor.", _bytes(_lengthened)),
    _defect("wrong-magic", "The first bytes are another format's.", _bytes(_flipped(0, b"GGML"))),
    _defect("version-bit-flip", "One bit of the version differs.", _bytes(_flipped(4, b"\x13"))),
    _defect("key-length-bit-flip", "One bit of a key's length differs.", _bytes(_key_length)),
    _defect("tensor-count-high", "One tensor more than there is.", _bytes(_count(8, 1))),
    _defect("tensor-count-low", "One tensor fewer than there are.", _bytes(_count(8, -1))),
    _defect("key-count-low", "One metadata key fewer than there are.", _bytes(_count(16, -1))),
    _defect("wrong-type-label", "A tensor's header names another type.", _mislabelled,
            BROKEN, "type label"),
    _defect("overlapping-offsets", "Two tensors begin at the same byte.", _overlapping),
    _defect("wrong-shape-label", "The two sizes of a tensor are exchanged.", _reshaped,
            BROKEN, "shape"),
    _defect("missing-tensor", "One projection was not written.", _missing, BROKEN,
            "missing tensor"),
    _defect("misnamed-tensor", "A projection has a name no loader knows.", _misnamed,
            BROKEN, "missing tensor"),
    _defect("nan-in-norm", "One weight of a norm is NaN.", _nonfinite("attn_norm", float("nan")),
            BROKEN, "non-finite weights"),
    _defect("nan-in-projection", "One weight, or the scale of one block, is NaN.",
            _nonfinite("ffn_gate", float("nan")),
            BROKEN, "non-finite weights"),
    _defect("inf-in-projection", "One weight, or the scale of one block, is infinite.",
            _nonfinite("attn_output", float("inf")),
            BROKEN, "non-finite weights"),
)  # fmt: skip
