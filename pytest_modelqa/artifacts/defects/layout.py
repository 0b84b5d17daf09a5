"""Sound numbers in wrong places."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts.defects.defect import Change, Defect, DefectClass, Inapplicable
from pytest_modelqa.artifacts.defects.gguf_edit import Edit, Floats
from pytest_modelqa.artifacts.defects.gguf_layout import Bytes
from pytest_modelqa.artifacts.defects.subject import PERMUTED, Subject

_Rows = TypeVar("_Rows", bound=NDArray[np.generic])
_Changes = Callable[[Subject], Change | Inapplicable]
_LEAST_HEADS = 2


def _defect(name: str, what: str, change: _Changes, *causes: str) -> Defect:
    return Defect(
        name=name,
        category=DefectClass.LAYOUT,
        what=what,
        causes=causes,
        caught_by="tensor parity",
        change=change,
    )


def _values(short: str, edit: Callable[[Floats], Floats]) -> _Changes:
    def change(subject: Subject) -> Change | Inapplicable:
        name = subject.tensor(short)
        if not subject.has(name):
            return Inapplicable(f"there is no {name}")
        return Change(place=name, tensors={name: Edit(values=edit)})

    return change


def _transposed(subject: Subject) -> Change | Inapplicable:
    name = subject.tensor("attn_output")
    shape = subject.shapes.get(name, (0, 1))
    if shape[0] != shape[-1]:
        return Inapplicable(f"{name} is not square: {shape}")
    return Change(place=name, tensors={name: Edit(values=lambda v: v.T)})


def _column_major(values: Floats) -> Floats:
    """The numbers of the transposed matrix, in the shape of the right one."""
    return np.ascontiguousarray(values.T).reshape(values.shape)


def interleaved(rows: _Rows, heads: int) -> _Rows:
    """llama.cpp's order of the rows of Q and K, from transformers': halves become pairs."""
    half = rows.shape[0] // heads // 2
    split = rows.reshape(heads, 2, half, *rows.shape[1:])
    return split.swapaxes(1, 2).reshape(rows.shape)  # type: ignore[return-value]


def halved(rows: _Rows, heads: int) -> _Rows:
    """The order of transformers, from llama.cpp's: pairs become halves."""
    half = rows.shape[0] // heads // 2
    split = rows.reshape(heads, half, 2, *rows.shape[1:])
    return split.swapaxes(1, 2).reshape(rows.shape)  # type: ignore[return-value]


Reorder = Callable[[Bytes, int], Bytes]


def _permuted(reorder: Reorder, layers: Callable[[Subject], list[int]]) -> _Changes:
    def change(subject: Subject) -> Change | Inapplicable:
        if subject.architecture not in PERMUTED:
            return Inapplicable(f"rows of {subject.architecture} are in one order everywhere")
        chosen = layers(subject)
        queries, keys = subject.heads
        edits = {}
        for layer in chosen:
            for short, heads in (("attn_q", queries), ("attn_k", keys)):
                edits[subject.tensor(short, layer)] = Edit(raw=_with_heads(reorder, heads))
        if lacking := next((n for n in edits if not subject.has(n)), ""):
            return Inapplicable(f"there is no {lacking}")
        return Change(place=f"blk.{chosen[0]}", tensors=edits)

    return change


def _with_heads(reorder: Reorder, heads: int) -> Callable[[Bytes], Bytes]:
    return lambda raw: reorder(np.ascontiguousarray(raw), heads)


def _heads_swapped(subject: Subject) -> Change | Inapplicable:
    name, heads = subject.tensor("attn_q"), subject.heads[0]
    if heads < _LEAST_HEADS or not subject.has(name):
        return Inapplicable("there are no two heads to swap")

    def swap(raw: Bytes) -> Bytes:
        parts = raw.reshape(heads, -1, raw.shape[1])
        return parts[[heads - 1, *range(1, heads - 1), 0]].reshape(raw.shape)

    return Change(place=name, tensors={name: Edit(raw=swap)})


def _layers_swapped(subject: Subject) -> Change | Inapplicable:
    first = subject.middle
    if first + 1 >= subject.layers:
        return Inapplicable("there are no two layers to swap")
    edits = {}
    for name in subject.shapes:
        for here, there in ((first, first + 1), (first + 1, first)):
            if name.startswith(f"blk.{here}."):
                source = name.replace(f"blk.{here}.", f"blk.{there}.", 1)
                if subject.shapes.get(source) == subject.shapes[name]:
                    edits[name] = Edit(source=source)
    return Change(place=f"blk.{first}", tensors=edits)


def _exchanged(one: str, other: str) -> _Changes:
    def change(subject: Subject) -> Change | Inapplicable:
        first, second = subject.tensor(one), subject.tensor(other)
        if not subject.has(first, second) or subject.shapes[first] != subject.shapes[second]:
            return Inapplicable(f"{first} and {second} have not the same shape")
        return Change(place=first, tensors={first: Edit(source=second), second: Edit(source=first)})

    return change


def _rows_rolled(subject: Subject) -> Change | Inapplicable:
    name = "token_embd.weight"
    if not subject.has(name):
        return Inapplicable(f"there is no {name}")
    return Change(place=name, tensors={name: Edit(raw=lambda raw: np.roll(raw, 1, axis=0))})


def _rows_reversed(subject: Subject) -> Change | Inapplicable:
    name = subject.tensor("ffn_down")
    if not subject.has(name):
        return Inapplicable(f"there is no {name}")
    return Change(place=name, tensors={name: Edit(raw=lambda raw: raw[::-1])})


def _columns_rolled(values: Floats) -> Floats:
    """By a quarter of the width: as when heads are joined in another order."""
    return np.roll(values, math.ceil(values.shape[1] / 4), axis=1)


def _all(subject: Subject) -> list[int]:
    return list(range(subject.layers))


def _middle(subject: Subject) -> list[int]:
    return [subject.middle]


DEFECTS = (
    _defect("transposed-square", "A square projection is transposed.", _transposed,
            "transposed"),
    _defect("column-major", "A projection's numbers are in column order.",
            _values("ffn_down", _column_major), "transposed"),
    _defect("rope-permutation-undone", "Rows of all Q and K are in the other engine's order.",
            _permuted(halved, _all), "Q/K permutation"),
    _defect("rope-permutation-doubled", "Rows of all Q and K were put in order twice.",
            _permuted(interleaved, _all), "Q/K permutation"),
    _defect("rope-permutation-one-layer", "Rows of Q and K of one layer are in the other order.",
            _permuted(halved, _middle), "Q/K permutation"),
    _defect("heads-swapped", "Two query heads have each other's rows.", _heads_swapped,
            "rows permuted"),
    _defect("layers-swapped", "Two layers have each other's tensors.", _layers_swapped,
            "layers swapped", "swapped tensors"),
    _defect("gate-up-swapped", "Gate and up projection are exchanged.",
            _exchanged("ffn_gate", "ffn_up"), "swapped tensors"),
    _defect("key-value-swapped", "Key and value projection are exchanged.",
            _exchanged("attn_k", "attn_v"), "swapped tensors"),
    _defect("norms-swapped", "The two norms of a layer are exchanged.",
            _exchanged("attn_norm", "ffn_norm"), "swapped tensors"),
    _defect("rows-reversed", "Rows of a projection are in reverse order.",
            _rows_reversed, "rows permuted"),
    _defect("columns-rolled", "Columns of the attention's output are a quarter further.",
            _values("attn_output", _columns_rolled), "columns permuted"),
    _defect("embedding-off-by-one", "Every token has the vector of the one before.",
            _rows_rolled, "rows permuted"),
)  # fmt: skip
