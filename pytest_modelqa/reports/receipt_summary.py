"""What a receipt's exchanges come to: functions of them alone, so that anyone can make them again.

NaN in a part is NaN in the whole: nothing is left out of a mean or a maximum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_modelqa.core.comparison.greedy import CompareGreedy, GreedyCompared
from pytest_modelqa.core.comparison.logits import CompareLogits, LogitsCompared
from pytest_modelqa.core.comparison.tensors import TensorCompared, TensorsCompared
from pytest_modelqa.core.comparison.trace import TraceCompared
from pytest_modelqa.core.receipt import (
    CheckReceipt,
    Exchange,
    GreedyMetrics,
    LayerError,
    Overall,
    PromptMetrics,
    RelationCount,
    Sameness,
    Summary,
)
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.core.wire import decode_answer, decode_request

DIAGNOSIS = "parity"
"""The check that judges what all others saw, and names the cause."""

_NAN = float("nan")


def summary(exchanges: Iterable[Exchange]) -> Summary:
    """All of it. Raises ValueError where an exchange is not one of `core.wire`."""
    pairs = [(decode_request(e.request), decode_answer(e.answer)) for e in exchanges]
    prompts = [_prompt(r, a) for r, a in pairs if isinstance(a, LogitsCompared)]
    positions = sum(p.positions for p in prompts)
    return Summary(
        positions=positions,
        kl_mean=_mean([(p.kl_mean, p.positions) for p in prompts if p.positions]),
        kl_max=_largest([p.kl_max for p in prompts if p.positions]),
        top1=_mean([(p.top1, p.positions) for p in prompts if p.positions]),
        prompts=tuple(prompts),
        greedy=tuple(_greedy(r, a) for r, a in pairs if isinstance(a, GreedyCompared)),
        tensors=_relations([a for _, a in pairs if isinstance(a, TensorsCompared)]),
        layers=tuple(
            LayerError(block=s.block, layer=s.layer, error=s.error, noise=s.noise)
            for _, a in pairs
            if isinstance(a, TraceCompared)
            for s in a.stages
        ),
    )


def overall(checks: Sequence[CheckReceipt]) -> Overall:
    """What all checks come to. The diagnosis is made of the others, and is not counted."""
    outcomes = [c.verdict.outcome for c in checks if c.name != DIAGNOSIS]
    undecided = sum(o.undecided for o in outcomes)
    failed = sum(o.failed for o in outcomes)
    return Overall(
        sameness=_sameness(checks),
        corroborated=len(outcomes) - failed - undecided,
        failed=failed,
        undecided=undecided,
        diagnosis=next((c.verdict.reason for c in checks if c.name == DIAGNOSIS), ""),
    )


def _sameness(checks: Sequence[CheckReceipt]) -> Sameness:
    """A diagnosis that is falsified alone tells of checks that crashed, or that are not here."""
    outcomes = {c.verdict.outcome for c in checks if c.name != DIAGNOSIS}
    diagnosed = {c.verdict.outcome for c in checks if c.name == DIAGNOSIS}
    if Outcome.FALSIFIED in outcomes:
        return "differs"
    if any(o.failed for o in outcomes):
        return "broken"
    if any(o.failed for o in diagnosed):
        return "differs"
    return "same" if outcomes | diagnosed == {Outcome.CORROBORATED} else "undecided"


def _prompt(request: Any, answer: LogitsCompared) -> PromptMetrics:
    assert isinstance(request, CompareLogits)
    chosen = zip(answer.candidate_top1, answer.reference_top1, strict=True)
    agree = [float(c == r) if min(c, r) >= 0 else _NAN for c, r in chosen]
    return PromptMetrics(
        prompt=request.text,
        chat=request.chat,
        ids=answer.ids,
        positions=len(answer.kl),
        kl_mean=_mean([(k, 1) for k in answer.kl]),
        kl_p99=_rank(answer.kl, 0.99),
        kl_max=_largest(answer.kl),
        top1=_mean([(a, 1) for a in agree]),
        cosine_min=-_largest([-c for c in answer.cosine]),
        nonfinite=answer.candidate_nonfinite + answer.reference_nonfinite,
    )


def _greedy(request: Any, answer: GreedyCompared) -> GreedyMetrics:
    assert isinstance(request, CompareGreedy)
    return GreedyMetrics(
        prompt=request.text,
        chat=request.chat,
        equal_steps=answer.equal_steps,
        parted_at=answer.parting.step if answer.parting else -1,
        candidate_ids=answer.candidate.ids,
        reference_ids=answer.reference.ids,
    )


def _relations(compared: Sequence[TensorsCompared]) -> tuple[RelationCount, ...]:
    found: dict[str, list[TensorCompared]] = {}
    for tensor in (t for answer in compared for t in answer.tensors):
        found.setdefault(tensor.relation, []).append(tensor)
    return tuple(_relation(name, tensors) for name, tensors in sorted(found.items()))


def _relation(name: str, tensors: Sequence[TensorCompared]) -> RelationCount:
    known = [t for t in tensors if not math.isnan(t.error)]
    largest = max(known, key=lambda t: t.error, default=None)
    return RelationCount(
        relation=name,
        tensors=len(tensors),
        error_max=largest.error if largest else _NAN,
        worst=largest.name if largest else tensors[0].name,
    )


def _mean(values: Sequence[tuple[float, int]]) -> float:
    """Weighted, by sums that do not depend on the order of their parts."""
    total = sum(count for _, count in values)
    if not total or any(math.isnan(v) for v, _ in values):
        return _NAN
    if any(math.isinf(v) for v, _ in values):
        return math.inf
    return math.fsum(v * count for v, count in values) / total


def _largest(values: Sequence[float]) -> float:
    return _NAN if any(math.isnan(v) for v in values) else max(values, default=_NAN)


def _rank(values: Sequence[float], share: float) -> float:
    """The least value that a share of all does not exceed: an order statistic, no interpolation."""
    if not values or any(math.isnan(v) for v in values):
        return _NAN
    return sorted(values)[math.ceil(share * len(values)) - 1]
