"""CLEARED or BLOCKED: one definition, pure, with every reason.

CLEARED needs all of it: each harness measured on the artifact that ships, each ship gate cleared,
the mean of the harnesses' metrics at its threshold, each canary passed, and each gateway on the way
to them. What is missing, crashed, interrupted or contradicts itself blocks. docs/shipping.md states
it in full.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from pytest_modelqa.core.result import CaseResult, PlannedCase, RunRecord
from pytest_modelqa.core.shipping import (
    GateKind,
    Gauge,
    HarnessLine,
    ShipDecision,
    ShipPolicy,
    State,
)
from pytest_modelqa.core.verdict import Outcome, Verdict

UNKNOWN = math.nan
"""The threshold of a harness that measured nothing: no record holds it."""

_BROKEN = (Outcome.CRASHED, Outcome.TIMEOUT, Outcome.UNAVAILABLE)
"""A harness of either kind that ended so has no answers to all of its prompts."""

_NAMED = 20
"""As many canaries as a reason names."""

_Cases = list[tuple[PlannedCase, CaseResult | None]]


def decide(record: RunRecord) -> ShipDecision | None:
    """The decision of a record; None where its playbook asks for none.

    A case that was planned and has no result blocks, and so does one that a script answered.
    """
    policy = record.run.ship
    if policy is None:
        return None
    cases = _cases(record)
    harnesses = [(c, r) for c, r in cases if c.role in ("ship", "quality")]
    canaries = [(c, r) for c, r in cases if c.role == "canary"]
    scopes = {c.scope for c, _ in (*harnesses, *canaries)}
    gateways = [(c, r) for c, r in cases if c.is_gateway and c.scope in scopes]
    lines = tuple(_line(case, result) for case, result in harnesses)
    overall = _overall(harnesses)
    reasons = [
        *_of_run(record, policy),
        *_of_harnesses(lines, [result for _, result in harnesses]),
        *_of_bytes(record, policy, [*gateways, *harnesses, *canaries]),
        *_of_overall(overall, policy, lines),
        *_of_canaries(canaries),
        *_of_gateways(gateways),
    ]
    return ShipDecision(
        cleared=not reasons,
        reasons=tuple(reasons),
        harnesses=lines,
        overall=None if overall is None else float(overall),
        min_overall=policy.min_overall,
        canaries=len(canaries),
        canaries_passed=sum(_passed(r) for _, r in canaries),
    )


def _cases(record: RunRecord) -> _Cases:
    """Every case of the decision once, planned or not: no failure hides."""
    results = {r.case.id: r for r in record.results}
    known = {c.id: c for c in (*record.planned, *(r.case for r in record.results))}
    return [(case, results.get(case_id)) for case_id, case in known.items()]


def _passed(result: CaseResult | None) -> bool:
    return result is not None and result.verdict.outcome is Outcome.CORROBORATED


def _line(case: PlannedCase, result: CaseResult | None) -> HarnessLine:
    """A harness whose verdict says less than its gauge has not passed."""
    kind: GateKind = "quality" if case.role == "quality" else "ship"
    name = case.name.removeprefix("ship-")
    gauge = _gauge(result)
    if result is None or gauge is None:
        reason = result.verdict.reason if result else "not run: planned, but without a result"
        return HarnessLine(
            case_id=case.id,
            name=name,
            kind=kind,
            value=None,
            threshold=UNKNOWN,
            passed=False,
            state="inconclusive",
            reason=reason,
        )
    return HarnessLine(
        case_id=case.id,
        name=name,
        kind=kind,
        value=gauge.value,
        threshold=gauge.demand.threshold,
        passed=gauge.state == "cleared" and _passed(result),
        state=_state(result.verdict, gauge),
        reason=result.verdict.reason,
    )


def _gauge(result: CaseResult | None) -> Gauge | None:
    """What was measured; of no answers, nothing was."""
    gauge = result.verdict.gauge if result else None
    return gauge if gauge and gauge.n and math.isfinite(gauge.value) else None


def _state(verdict: Verdict, gauge: Gauge) -> State:
    """Never better than the verdict."""
    if gauge.state == "cleared" and verdict.outcome is not Outcome.CORROBORATED:
        return "blocked" if verdict.outcome.failed else "inconclusive"
    return gauge.state


def _overall(harnesses: _Cases) -> Fraction | None:
    """The mean of the metrics, exact; None unless each was measured."""
    gauges = [_gauge(result) for _, result in harnesses]
    values = [_exact(g) for g in gauges if g is not None]
    if not values or len(values) < len(gauges):
        return None
    return sum(values, start=Fraction(0)) / len(values)


def _exact(gauge: Gauge) -> Fraction:
    """The metric of the counts, so that no rounding reaches a threshold."""
    if gauge.demand.metric == "rate":
        return Fraction(gauge.passed, gauge.n)
    found = gauge.confusion
    if found is None or not found.true_positive:
        return Fraction(0)
    double = 2 * found.true_positive
    return Fraction(double, double + found.false_negative + found.false_positive)


def _of_run(record: RunRecord, policy: ShipPolicy) -> Iterator[str]:
    if record.run.interrupted:
        yield "The run was cut off before its end."
    if not any(c.role == "ship" for c in record.planned):
        yield "No ship gate is planned: nothing shows that the model may ship."
    shipped = [a for a in record.artifacts if a.key == policy.artifact]
    if not shipped:
        yield f"What ships, {policy.artifact}, was never opened."
    if any(a.synthetic for a in shipped):
        yield f"A script answers for {policy.artifact}: that is no evidence of a model."


def _of_harnesses(
    lines: Iterable[HarnessLine], results: Iterable[CaseResult | None]
) -> Iterator[str]:
    for line, result in zip(lines, results, strict=True):
        if line.value is None or result is None:
            yield f"{line.name} measured nothing: {line.reason}"
        elif _is_broken(result.verdict):
            yield f"{line.name} {result.verdict.outcome}: {line.reason}"
        elif line.kind == "ship" and not line.passed:
            yield f"{line.name} is {line.state}: {line.reason}"


def _is_broken(verdict: Verdict) -> bool:
    """Whether answers are missing: then a harness of either kind has not run."""
    return verdict.is_incomplete or verdict.outcome in _BROKEN


def _of_bytes(record: RunRecord, policy: ShipPolicy, cases: _Cases) -> Iterator[str]:
    """What was judged must be what ships, to the byte."""
    shipped = {a.sha256 for a in record.artifacts if a.key == policy.artifact}
    other = [
        case.name
        for case, result in cases
        if result and result.artifact_sha256 and shipped and result.artifact_sha256 not in shipped
    ]
    if other:
        yield f"Measured on another artifact than {policy.artifact}: {_some(other)}."


def _of_overall(
    overall: Fraction | None, policy: ShipPolicy, lines: Iterable[HarnessLine]
) -> Iterator[str]:
    """A harness of kind quality blocks in no other way, so that it is named here."""
    if overall is None:
        yield "There is no overall score: it is the mean of all harnesses."
    elif overall < Fraction(repr(float(policy.min_overall))):
        low = [line.name for line in lines if line.kind == "quality" and not line.passed]
        names = f"; not cleared: {_some(low)}" if low else ""
        yield (
            f"The overall score is {float(overall) * 100:.4g} %, "
            f"below {policy.min_overall * 100:.4g} %{names}."
        )


def _of_canaries(canaries: _Cases) -> Iterator[str]:
    failed = [case.name.removeprefix("canary-") for case, r in canaries if not _passed(r)]
    if failed:
        passed = len(canaries) - len(failed)
        yield f"{passed} of {len(canaries)} canaries passed; not {_some(failed)}."


def _of_gateways(gateways: _Cases) -> Iterator[str]:
    """A model that does not load, answer or repeat itself does not ship on good answers."""
    for case, result in gateways:
        if result is None:
            yield f"{case.gate} was not run on {case.scope}."
        elif not _passed(result):
            yield f"{case.gate} {result.verdict.outcome} on {case.scope}: {result.verdict.reason}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
