"""Weights that are coarser than their type says, or than anything needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pytest_modelqa.artifacts.defects.defect import Change, Defect, DefectClass, Inapplicable
from pytest_modelqa.artifacts.defects.gguf_edit import Edit, Floats
from pytest_modelqa.artifacts.defects.gguf_layout import Bytes
from pytest_modelqa.artifacts.defects.subject import Subject

PROJECTIONS = (
    "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down",
)  # fmt: skip
_BLOCK = 32
_FINE = {"F32", "F16", "BF16", "Q8_0"}
_ASYMMETRIC = {"Q4_1", "Q5_1"}
_SCALED_FIRST = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"}


def _defect(
    name: str, what: str, change: Callable[[Subject], Change | Inapplicable], *causes: str
) -> Defect:
    return Defect(
        name=name,
        category=DefectClass.QUANTISATION,
        what=what,
        causes=causes,
        caught_by="tensor parity",
        change=change,
    )


def coarse(bits: int) -> Callable[[Floats], Floats]:
    """Round each run of 32 weights to 2**bits even steps between its least and its greatest."""

    def edit(values: Floats) -> Floats:
        blocks = values.reshape(-1, _BLOCK)
        low, high = blocks.min(axis=1, keepdims=True), blocks.max(axis=1, keepdims=True)
        step = (high - low) / np.float32(2**bits - 1)
        safe = np.where(step > 0, step, np.float32(1))
        rounded: Floats = np.rint((blocks - low) / safe) * step + low
        return rounded.reshape(values.shape)

    return edit


def _coarse(short: str, bits: int) -> Callable[[Subject], Change | Inapplicable]:
    def change(subject: Subject) -> Change | Inapplicable:
        name = subject.tensor(short) if "." not in short else short
        if not subject.has(name) or subject.shapes[name][-1] % _BLOCK:
            return Inapplicable(f"there is no {name} of whole blocks of {_BLOCK}")
        return Change(place=name, tensors={name: Edit(values=coarse(bits))})

    return change


def _all_coarse(bits: int) -> Callable[[Subject], Change | Inapplicable]:
    def change(subject: Subject) -> Change | Inapplicable:
        names = [subject.tensor(short, layer)
                 for layer in range(subject.layers) for short in PROJECTIONS]  # fmt: skip
        if lacking := next((n for n in names if not subject.has(n)), ""):
            return Inapplicable(f"there is no {lacking}")
        return Change(tensors={name: Edit(values=coarse(bits)) for name in names})

    return change


def _layer_coarse(subject: Subject) -> Change | Inapplicable:
    names = [subject.tensor(short) for short in PROJECTIONS]
    if lacking := next((n for n in names if not subject.has(n)), ""):
        return Inapplicable(f"there is no {lacking}")
    return Change(place=f"blk.{subject.middle}", tensors={n: Edit(values=coarse(2)) for n in names})


def _retyped(subject: Subject) -> Change | Inapplicable:
    """To 4 bits, and its label says so: fewer than all others have."""
    name = subject.tensor("ffn_down")
    if subject.types.get(name) not in _FINE or subject.format != "gguf":
        return Inapplicable(f"{name} is not of 8 bits or more in a GGUF file")
    return Change(place=name, tensors={name: Edit(type="Q4_0")})


def _block_doubled(subject: Subject) -> Change | Inapplicable:
    name = subject.tensor("attn_v")
    if subject.types.get(name) not in _SCALED_FIRST:
        return Inapplicable(f"{name} has no blocks that begin with their scale")

    def double(raw: Bytes) -> Bytes:
        out = raw.copy()
        row = out[out.shape[0] // 2]
        scale = np.frombuffer(row[:2].tobytes(), dtype="<f2")[0]
        row[:2] = np.frombuffer(np.float16(scale * 2).tobytes(), dtype=np.uint8)
        return out

    return Change(place=name, tensors={name: Edit(raw=double)})


def _offset_lost(subject: Subject) -> Change | Inapplicable:
    """The least value of every block, the second half-precision number, is read as zero."""
    name = subject.tensor("attn_output")
    if subject.types.get(name) not in _ASYMMETRIC:
        return Inapplicable(f"{name} has no offsets")
    blocks = {"Q4_1": 20, "Q5_1": 24}[subject.types[name]]

    def lose(raw: Bytes) -> Bytes:
        out = raw.copy()
        out.reshape(-1, blocks)[:, 2:4] = 0
        return out

    return Change(place=name, tensors={name: Edit(raw=lose)})


_NOISE = ("mislabelled quantisation", "over-quantised tensor", "quantisation noise")

DEFECTS = (
    _defect("one-tensor-2-bits", "A projection went through 2 bits; its label is as before.",
            _coarse("ffn_down", 2), *_NOISE),
    _defect("attention-3-bits", "A query projection went through 3 bits.",
            _coarse("attn_q", 3), *_NOISE),
    _defect("embedding-2-bits", "The embedding went through 2 bits.",
            _coarse("token_embd.weight", 2), *_NOISE),
    _defect("layer-2-bits", "All projections of a layer went through 2 bits.", _layer_coarse,
            *_NOISE),
    _defect("all-2-bits", "All projections went through 2 bits; their labels are as before.",
            _all_coarse(2), *_NOISE),
    _defect("all-3-bits", "All projections went through 3 bits; their labels are as before.",
            _all_coarse(3), *_NOISE),
    _defect("one-tensor-retyped", "A projection is stored in 4 bits among finer ones.", _retyped,
            *_NOISE),
    _defect("block-scale-doubled", "One block of a projection is twice as large.",
            _block_doubled, "corrupted block"),
    _defect("offsets-lost", "The blocks of a projection lost their offsets.", _offset_lost,
            "corrupted block", "corrupted tensor",
            "offset"),
)  # fmt: skip
