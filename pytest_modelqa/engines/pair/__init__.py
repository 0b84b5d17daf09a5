"""Two opened models side by side: comparisons are measured where both are, and leave as numbers."""

from __future__ import annotations

from typing import Any

from pytest_modelqa.core.answer import Compared, Failure
from pytest_modelqa.core.request import Comparison
from pytest_modelqa.engines.base import Engine
from pytest_modelqa.engines.pair import greedy, logits, templates, tokens, trace
from pytest_modelqa.engines.pair.base import Comparers, Pair

_COMPARERS: Comparers = {
    kind: compare
    for module in (tokens, templates, logits, greedy, trace)
    for kind, compare in module.COMPARERS.items()
}


def compare(candidate: Engine, reference: Engine, request: Comparison) -> Compared | Failure:
    """Measure both models. Raises TypeError for a comparison that no module here knows."""
    first: Any = candidate
    second: Any = reference
    for name, engine in (("candidate", first), ("reference", second)):
        if not hasattr(engine, "logits"):
            return Failure(
                cause="unavailable",
                reason=f"the {name} is answered for by {type(engine).__name__}, which has no "
                "weights to compare",
                remedy="name an artifact that an engine opens",
            )
    measure = _COMPARERS.get(type(request))
    if measure is None:
        raise TypeError(f"nothing here compares {type(request).__name__}")
    with first.computing(), second.computing():
        return measure(Pair(candidate=first, reference=second), request)
