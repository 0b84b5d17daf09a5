"""Whether a change does anything: what engines answered, compared with the unaltered artifact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.core.ids import canonical
from pytest_modelqa.runtime.store import read

_LOGITS, _NOISE = "LogitsCompared", "NoiseMeasured"
_STATIC = frozenset({
    "Inspection", "Description", "TensorsCompared", "ConfigurationCompared", "StatisticsCompared",
    _NOISE, "Failure",
})  # fmt: skip
"""Answers that say what is stored, or nothing: no engine computed them."""
_BY_NUMBERS = frozenset({_LOGITS, "Logits", "TraceCompared"})
"""Their texts and ids say nothing that their numbers do not."""
_FLOOR = 1e-6
"""Nats. A healthy copy answers with the same bits; below this, float32 rounding explains it."""

UNMEASURED = "not measured: no engine was asked"

Answers = Mapping[str, Mapping[str, Any]]


def answers_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Every answer of a run by its request, as written."""
    return {
        canonical(r["request"]): r["answer"]
        for r in read([folder])
        if r["type"] == "answer" and isinstance(r["answer"], dict)
    }


def noise_floor(before: Answers) -> float:
    """The largest mean KL of a side with itself that was measured, in nats."""
    means = [v["kl_mean"] for a in before.values() if a.get("kind") == _NOISE
             for v in (*a["reference"], *a["candidate"])]  # fmt: skip
    return max([_FLOOR, *(m for m in means if isinstance(m, float) and math.isfinite(m))])


def effect_of(before: Answers, after: Answers) -> str:
    """What is different, in words: logits by more than the noise floor, texts, ids; or nothing."""
    shared = {k for k in before.keys() & after.keys() if _computed(before[k])}
    if not shared:
        return UNMEASURED
    lost = [k for k in sorted(shared)
            if after[k].get("kind") == "Failure" != before[k].get("kind")]  # fmt: skip
    if lost:
        return f"{len(lost)} requests have no answer"
    moved = [_moved(before[k], after[k]) for k in shared if before[k].get("kind") == _LOGITS]
    if moved and not max(moved) <= noise_floor(before):
        return f"logits: mean KL moved by {max(moved):.2g} nats"
    changed = [k for k in shared if _discrete(before[k]) != _discrete(after[k])]
    kinds = sorted({str(before[k]["kind"]) for k in changed})
    return f"{len(changed)} answers differ: {', '.join(kinds)}" if changed else ""


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """Mean absolute change of KL at a position; Inf where one is missing or no number."""
    pairs = list(zip(before["kl"], after["kl"], strict=False))
    if len(before["kl"]) != len(after["kl"]) or not pairs:
        return math.inf
    if not all(isinstance(v, (int, float)) for pair in pairs for v in pair):
        return math.inf
    return float(sum(abs(a - b) for a, b in pairs) / len(pairs))


def _discrete(answer: Mapping[str, Any]) -> Any:
    """Texts and ids alone: times and margins differ between two runs of the same model."""
    return None if answer.get("kind") in _BY_NUMBERS else _without_floats(answer)


def _computed(answer: Mapping[str, Any]) -> bool:
    return answer.get("kind") not in _STATIC


def _without_floats(value: Any) -> Any:
    if isinstance(value, dict):
        items: Iterable[tuple[str, Any]] = value.items()
        return {k: _without_floats(v) for k, v in items if not isinstance(v, float)}
    if isinstance(value, list):
        return [_without_floats(v) for v in value if not isinstance(v, float)]
    return value
