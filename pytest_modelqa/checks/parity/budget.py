"""What a candidate's logits may differ by: a budget for its quantisation type.

A budget file of `modelqa calibrate` says what a known-good conversion of the same model measured.
Without one there are ceilings here: they tell a wreck from a model, not a good conversion from a
mediocre one, and every verdict that rests on one says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.core.model import Artifact

_PUBLISHED = {
    "q8": 0.00136,
    "q6": 0.0055,
    "q5": 0.0108,
    "q4": 0.0313,
    "q3": 0.102,
    "q2": 0.445,
}
"""Mean KL of Llama-3-8B in nats (llama.cpp, examples/perplexity/README.md; K-quants, medium)."""

_SMALL_MODELS = 10.0
"""What a ceiling is times the published value. SmolLM2 (135M) measures 3.5 (q4_k_m) to 7 (q8_0)
times; a smaller or more compressed model has less to spare."""

_FLOATS = {"f32": 1e-3, "f16": 1e-3, "bf16": 1e-2}
"""Ceilings of formats that only round. llama.cpp keeps keys and values in f16 whatever the weights
are, so f32 has that of f16 (SmolLM2: 1.7e-5). bf16: the limit of MaxText's forward parity."""

_TAIL = 15.0
"""The 99th percentile over the mean, at most. SmolLM2: 11 for f16, 5 to 6 for the quantised."""

_TOLERANCE = {"f32": 0.2, "f16": 0.2, "bf16": 1.0, "q8": 2.0, "q6": 2.0}
"""Logits: what the gap between two ids may move. SmolLM2's largest: f16 0.05, q8_0 1.1."""

_LOW_BIT_TOLERANCE = 4.0
"""Of five bits and fewer."""

_TYPE = re.compile(r"^(?:iq|tq|q|int|mxfp|nf|fp)?(\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one quantisation; None bounds nothing.

    KL in nats: of the mean, the 99th percentile and any position. `min_top1` is a share of
    positions, `tolerance` what the gap between two logits may move in a near-tie.
    """

    max_kl: float | None = None
    max_kl_p99: float | None = None
    max_kl_max: float | None = None
    min_top1: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits, and in words where they are from: "uncalibrated ceiling for q4_k_m"."""

    limits: Limits
    source: str


def budget_for(quantization: str, calibrated: Mapping[str, Any] | None) -> Budget:
    """The limits of a quantisation: the calibrated ones if the file has them, else ceilings.

    Raises UsageError where the file is no budget.
    """
    entries = _entries(calibrated) if calibrated is not None else {}
    if quantization in entries:
        limits = _limits(quantization, entries[quantization])
        return Budget(limits=limits, source=f"calibrated for {quantization}")
    return Budget(limits=ceiling(quantization), source=f"uncalibrated ceiling for {quantization}")


def require_budget(calibrated: Mapping[str, Any] | None) -> None:
    """Raise UsageError unless all that a file says can be used: before anything is run."""
    for quantization, entry in (_entries(calibrated) if calibrated is not None else {}).items():
        _limits(quantization, entry)


def unfit_for(calibrated: Mapping[str, Any] | None, reference: Artifact) -> str:
    """Why a budget is not of this reference; empty where it is, or where there is no budget.

    The same bytes, or what was written out of the same file: its hash moves with the library that
    wrote it, and its weights do not.
    """
    if calibrated is None:
        return ""
    of = calibrated.get("reference")
    if not isinstance(of, Mapping):
        return "the budget does not say which reference it was measured on"
    spec = reference.spec
    same_kind = (of.get("format"), of.get("quantization")) == (spec.format, spec.quantization)
    same_parent = same_kind and of.get("parent_sha256") == reference.parent_sha256 != ""
    if of.get("sha256") == reference.sha256 or same_parent:
        return ""
    return (
        f"the budget was measured on {calibrated.get('model')} "
        f"({_short(of.get('sha256'))}), the reference is {spec.model} ({reference.sha256[:12]})"
    )


def _short(sha256: Any) -> str:
    return str(sha256)[:12]


def _entries(calibrated: Mapping[str, Any]) -> Mapping[str, Any]:
    entries = calibrated.get("quantizations") if isinstance(calibrated, Mapping) else None
    if not isinstance(entries, Mapping):
        raise _not_a_budget("it has no quantizations")
    return entries


def ceiling(quantization: str) -> Limits:
    """What is far beyond any sound conversion; no limits for a type that is not known here."""
    mean = _FLOATS.get(quantization)
    if mean is not None:
        return _ceiling(mean, _TOLERANCE[quantization])
    found = _TYPE.match(quantization)
    kind = f"q{found[1]}" if found else ""
    if kind not in _PUBLISHED:
        return Limits()
    return _ceiling(_SMALL_MODELS * _PUBLISHED[kind], _TOLERANCE.get(kind, _LOW_BIT_TOLERANCE))


def _ceiling(mean: float, tolerance: float) -> Limits:
    return Limits(max_kl=mean, max_kl_p99=_TAIL * mean, tolerance=tolerance)


def _limits(quantization: str, entry: Any) -> Limits:
    """Numbers alone, each finite and not negative: NaN would let everything pass."""
    limits = entry.get("limits") if isinstance(entry, Mapping) else None
    if not isinstance(limits, Mapping):
        raise _not_a_budget(f"{quantization} has no limits")
    known = {f.name for f in fields(Limits)}
    if unknown := sorted(limits.keys() - known):
        raise _not_a_budget(f"{quantization} has a limit {unknown[0]!r}; known: {sorted(known)}")
    for name, value in limits.items():
        sound = isinstance(value, int | float) and not isinstance(value, bool)
        if not (sound and math.isfinite(value) and value >= 0):
            raise _not_a_budget(f"{name} of {quantization} is {value!r}, expected a number >= 0")
    return Limits(**limits)


def _not_a_budget(what: str) -> UsageError:
    return UsageError(f"not a budget file: {what}", remedy="make one: modelqa calibrate PLAYBOOK")
