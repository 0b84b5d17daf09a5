"""Adapters that were merged wrongly: the reference is the model as it should have become.

The adapter is drawn here, of low rank and of a size that fine-tuning has, so that any artifact can
stand for a merged one: without it is the base, with it once more the double merge.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable

import numpy as np

from pytest_modelqa.artifacts.defects.defect import Change, Defect, DefectClass, Inapplicable
from pytest_modelqa.artifacts.defects.gguf_edit import Edit, Floats
from pytest_modelqa.artifacts.defects.quantisation import PROJECTIONS
from pytest_modelqa.artifacts.defects.subject import Subject

_SEED = 20260103
_RANK = 8
_SHARE = 0.1
"""Frobenius norm of the adapter's update by that of the weights. LoRA runs end at 1 % to 20 %."""

_QV = ("attn_q", "attn_v")


def update(name: str, values: Floats) -> Floats:
    """The update that the adapter has for a tensor: rank 8, the same for the same name."""
    rng = np.random.default_rng((_SEED, zlib.crc32(name.encode())))
    down = rng.standard_normal((_RANK, values.shape[1]), dtype=np.float32)
    up = rng.standard_normal((values.shape[0], _RANK), dtype=np.float32)
    product = up @ down
    size = np.linalg.norm(product)
    share = np.float32(_SHARE * np.linalg.norm(values))
    return product * (share / size if size else np.float32(0))


def _defect(name: str, what: str, change: Callable[[Subject], Change | Inapplicable]) -> Defect:
    return Defect(
        name=name,
        category=DefectClass.FINE_TUNING,
        what=what,
        causes=("wrong merge",),
        caught_by="tensor parity",
        change=change,
    )


def _merged(
    factor: float, shorts: Iterable[str], layers: Callable[[Subject], Iterable[int]]
) -> Callable[[Subject], Change | Inapplicable]:
    def change(subject: Subject) -> Change | Inapplicable:
        names = [subject.tensor(short, layer) for layer in layers(subject) for short in shorts]
        if not names or (lacking := next((n for n in names if not subject.has(n)), "")):
            return Inapplicable(f"there is no {lacking or 'layer'}")
        return Change(tensors={name: Edit(values=_adding(name, factor)) for name in names})

    return change


def _adding(name: str, factor: float) -> Callable[[Floats], Floats]:
    return lambda values: values + np.float32(factor) * update(name, values)


def _all(subject: Subject) -> Iterable[int]:
    return range(subject.layers)


def _second_half(subject: Subject) -> Iterable[int]:
    return range(subject.layers // 2, subject.layers)


DEFECTS = (
    _defect("merge-was-a-no-op", "The adapter of Q and V is not in the merged model.",
            _merged(-1.0, _QV, _all)),
    _defect("merged-twice", "The adapter of Q and V was added twice.", _merged(1.0, _QV, _all)),
    _defect("wrong-alpha", "The adapter of Q and V was added with half its scale.",
            _merged(-0.5, _QV, _all)),
    _defect("merged-in-part", "The adapter is in the first half of the layers alone.",
            _merged(-1.0, _QV, _second_half)),
    _defect("base-shipped", "The base was shipped: no projection has its adapter.",
            _merged(-1.0, PROJECTIONS, _all)),
)  # fmt: skip
