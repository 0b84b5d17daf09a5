"""Hyper-parameters of two artifacts, side by side."""

from __future__ import annotations

from pathlib import Path

from pytest_modelqa.artifacts.differential.hyper import Stated, same_pre_tokenizer, stated
from pytest_modelqa.artifacts.differential.stored import open_both
from pytest_modelqa.core.comparison.tensors import (
    CompareConfiguration,
    ConfigurationCompared,
    ParameterCompared,
)

_FLOAT32 = 1e-6
"""GGUF holds floats in 32 bits, config.json in decimal digits."""
_FLOATS = frozenset({
    "norm epsilon", "rotary base", "rotary factor", "logit scale", "final softcap",
    "attention softcap",
})  # fmt: skip
_NOTHING = Stated((), "")


def compare_configuration(
    candidate: Path,
    reference: Path,
    request: CompareConfiguration,  # noqa: ARG001 - the protocol's
) -> ConfigurationCompared:
    """Compare what both sides state. Raises Refused, OSError."""
    ours, theirs = open_both(candidate, reference)
    one, two = stated(ours), stated(theirs)
    names = dict.fromkeys((*two, *one))
    parameters = (_compared(n, one.get(n, _NOTHING), two.get(n, _NOTHING)) for n in names)
    return ConfigurationCompared(
        candidate_architecture=ours.architecture,
        reference_architecture=theirs.architecture,
        parameters=tuple(p for p in parameters if p.candidate or p.reference),
    )


def _compared(name: str, one: Stated, two: Stated) -> ParameterCompared:
    tolerance = _FLOAT32 if name in _FLOATS else 0.0
    return ParameterCompared(
        name=name,
        candidate=one.text,
        reference=two.text,
        equal=_equal(name, one, two, tolerance),
        tolerance=tolerance,
        where=" / ".join(w for w in (one.where, two.where) if w),
    )


def _equal(name: str, one: Stated, two: Stated, tolerance: float) -> bool:
    """What one side does not state is not different."""
    if not one.values or not two.values:
        return True
    if name == "pre-tokenizer":
        return same_pre_tokenizer(one.values[0], two.values[0])
    if not tolerance:
        return bool(set(one.values) & set(two.values))
    try:
        a, b = float(one.values[0]), float(two.values[0])
    except ValueError:
        return one.values == two.values
    return abs(a - b) <= tolerance * max(abs(a), abs(b))
