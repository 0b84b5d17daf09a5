"""What stored tensors that are not the reference's point to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pytest_modelqa.checks.parity.causes import Sign
from pytest_modelqa.checks.parity.tensors import worded
from pytest_modelqa.core.comparison.tensors import Relation, TensorCompared, TensorsCompared

_STRUCTURE = 0.97
"""What a structure is worth that was checked value by value: it does not arise by chance."""
_ABSENT = 0.95
_NOISE = 0.7
"""Beyond the bound without a structure: that something is wrong is sure, what is not."""

_ALONE = 0.5
"""One tensor that differs by low rank may have been merged wrongly, or lost its offsets."""

_CAUSES: dict[Relation, tuple[str, float]] = {
    "transposed": ("transposed", _STRUCTURE),
    "qk_interleave": ("Q/K permutation", _STRUCTURE),
    "rows_permuted": ("rows permuted", _STRUCTURE),
    "rows_swapped": ("rows permuted", _STRUCTURE),
    "columns_permuted": ("columns permuted", _STRUCTURE),
    "columns_swapped": ("columns permuted", _STRUCTURE),
    "duplicated_rows": ("duplicated rows", _STRUCTURE),
    "zeroed_rows": ("zeroed rows", _STRUCTURE),
    "zero": ("zeroed tensor", _STRUCTURE),
    "scaled": ("scale", _STRUCTURE),
    "negated": ("sign", _STRUCTURE),
    "swapped_with": ("swapped tensors", _STRUCTURE),
    "mislabelled": ("type label", _STRUCTURE),
    "low_rank": ("wrong merge", _ALONE),
    "corrupted_blocks": ("corrupted block", _STRUCTURE),
    "non_finite": ("non-finite weights", _STRUCTURE),
    "shape": ("shape", _ABSENT),
    "undecoded": ("type label", _NOISE),
    "coarse": ("over-quantised tensor", _STRUCTURE),
    "overquantised": ("over-quantised tensor", _STRUCTURE),
}

_HEADS = ("output.weight", "lm_head.weight")
_NORM = "norm"
_UNRELATED = 0.3
"""Correlation below which a tensor's values have nothing to do with the reference's: rounding to a
single bit keeps 0.8, half a tensor overwritten keeps 0.7."""
_COARSER = frozenset({"coarse", "noise"})
_MANY = 0.5
"""Share of the compared matrices from which on noise is a property of the file, not of a tensor."""
_FEW = 4
"""As many tensors make a pattern."""
_ADDED = frozenset({"low_rank", "noise", "corrupted_blocks"})
"""What an update of low rank looks like: as what it is, or hidden in the rounding of four bits."""
_SPREAD = 0.4
"""Share of the layers in which the tensors of one kind are, for an adapter's work."""

Tensors = list[TensorCompared]


def tensor_signs(seen: TensorsCompared) -> Iterator[Sign]:
    """One sign for each tensor that is not sound, or for the pattern that several make together."""
    wrong = [t for t in seen.tensors if not t.sound]
    for pattern in (_layers_swapped, _layers_missing, _of_the_file, _of_an_adapter):
        sign, explained = pattern(wrong, seen.tensors)
        if sign is not None:
            yield sign
            wrong = [t for t in wrong if t not in explained]
    yield from (_sign(tensor) for tensor in wrong)


def _sign(tensor: TensorCompared) -> Sign:
    cause, weight = _CAUSES.get(tensor.relation) or _less_plain(tensor)
    if tensor.name in _HEADS and _UNTIED in tensor.note:
        cause, weight = "tied head", _ABSENT
    return Sign(cause=cause, place=tensor.name, evidence=worded(tensor), weight=weight)


_UNTIED = "stores a head of its own"
"""In the note of a head that one side alone stores."""


def _less_plain(tensor: TensorCompared) -> tuple[str, float]:
    """shifted, missing, extra and noise mean different things for different tensors."""
    if tensor.relation == "shifted":
        whole = abs(abs(tensor.factor) - 1) < 1e-2  # noqa: PLR2004 - the 1 of (1 + w)
        return ("(1+w) norms" if whole and _NORM in tensor.name else "offset"), _STRUCTURE
    if tensor.relation in ("missing", "extra"):
        return ("tied head" if tensor.name in _HEADS else "missing tensor"), _ABSENT
    if abs(tensor.correlation) < _UNRELATED:
        return "unrelated values", _STRUCTURE
    return "corrupted tensor", _NOISE


Pattern = tuple[Sign | None, Tensors]
_NONE: Pattern = (None, [])


def _layers_swapped(wrong: Tensors, every: Sequence[TensorCompared]) -> Pattern:  # noqa: ARG001
    """Two layers of which several tensors were found in the other, each in its own place."""
    swapped = [t for t in wrong if t.relation == "swapped_with"]
    pairs = {frozenset((layer_of(t.name), layer_of(t.other))) for t in swapped}
    if len(pairs) != 1 or len(swapped) < _FEW or not all(len(pair) > 1 for pair in pairs):
        return _NONE
    first, second = sorted(n for n in next(iter(pairs)) if n is not None)
    told = f"layers {first} and {second} have each other's tensors"
    sign = Sign(cause="layers swapped", place=f"blk.{first}", evidence=told, weight=_STRUCTURE)
    return sign, swapped


def _layers_missing(wrong: Tensors, every: Sequence[TensorCompared]) -> Pattern:
    """Layers of which not one tensor is there: the model was cut."""
    missing = [t for t in wrong if t.relation == "missing" and layer_of(t.name) is not None]
    there = {layer_of(t.name) for t in every if t.relation != "missing"}
    lost = [n for t in missing if (n := layer_of(t.name)) not in there and n is not None]
    gone = sorted({n for n in lost if lost.count(n) > 1})
    if not gone:
        return _NONE
    told = f"{len(gone)} layers are missing, from layer {gone[0]} on: {len(missing)} tensors"
    sign = Sign(cause="layer count", place=f"blk.{gone[0]}", evidence=told, weight=_STRUCTURE)
    return sign, [t for t in missing if layer_of(t.name) in gone]


def _of_the_file(wrong: Tensors, every: Sequence[TensorCompared]) -> Pattern:
    """Most matrices are coarser than their type: the label is wrong, not a tensor."""
    noisy = [t for t in wrong if t.relation in _COARSER]
    matrices = [t for t in every if len(t.candidate_shape) > 1]
    if len(noisy) < max(_FEW, _MANY * len(matrices)):
        return _NONE
    worst = max(noisy, key=lambda t: t.error)
    told = (
        f"{len(noisy)} tensors are coarser than {worst.candidate_type} is: {worst.name} has a "
        f"relative error of {worst.error:.2g}, bound {worst.bound:.2g}"
    )
    sign = Sign(
        cause="mislabelled quantisation",
        place=f"{len(noisy)} tensors",
        evidence=told,
        weight=_STRUCTURE,
    )
    return sign, noisy


def _of_an_adapter(wrong: Tensors, every: Sequence[TensorCompared]) -> Pattern:
    """The same projections in many layers differ, the others do not: an adapter's work."""
    layers = {n for t in every if (n := layer_of(t.name)) is not None}
    kinds: dict[str, Tensors] = {}
    for tensor in wrong:
        if tensor.relation in _ADDED and layer_of(tensor.name) is not None:
            kinds.setdefault(kind_of(tensor.name), []).append(tensor)
    spread = [t for own in kinds.values() if len(own) >= _SPREAD * len(layers) for t in own]
    if len(spread) < _FEW:
        return _NONE
    plain = [t for t in spread if t.relation == "low_rank"]
    told = f"{len(spread)} of {len(every)} tensors differ, {len(plain)} of them by low rank"
    names = ", ".join(sorted({kind_of(t.name) for t in spread}))
    sign = Sign(
        cause="wrong merge",
        place=names,
        evidence=f"{told}: {names} in {len({layer_of(t.name) for t in spread})} layers",
        weight=_STRUCTURE if plain else _NOISE,
    )
    return sign, spread


def layer_of(name: str) -> int | None:
    """The layer's number in a tensor's canonical name; None outside of layers."""
    found = re.search(r"(?:blk|layers|h)\.(\d+)\.", name)
    return int(found.group(1)) if found else None


def kind_of(name: str) -> str:
    """A tensor's canonical name without its layer: `attn_q.weight`."""
    return re.sub(r"^.*?(?:blk|layers|h)\.\d+\.", "", name)
