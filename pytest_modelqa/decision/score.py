"""Results to a score of 0 to 1000 and a status: one definition, linear, pure.

docs/score.md states it in full. Weights, penalties, grades and status words are the seed's
(apr-model-qa-playbook, its raw score and certification grades); what differs is on purpose: no
logarithm, and a category without evidence earns nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import floor

from pytest_modelqa.core.check import Category
from pytest_modelqa.core.result import PlannedCase, RunRecord
from pytest_modelqa.core.score import CategoryPoints, GatewayState, Penalty, Score
from pytest_modelqa.core.verdict import Outcome

__all__ = ["GRADES", "PENALTIES", "STATUS", "WEIGHTS", "Score", "score"]

WEIGHTS = {
    Category.QUAL: 200,
    Category.PERF: 150,
    Category.STAB: 200,
    Category.COMP: 150,
    Category.EDGE: 150,
    Category.REGR: 150,
}
"""Points of a category whose planned cases are all corroborated; they sum to 1000."""

PENALTIES = {Outcome.CRASHED: 20, Outcome.TIMEOUT: 10}
"""Points that each case with this outcome costs, besides those that it did not earn."""

GRADES = ((950, "A+"), (900, "A"), (850, "B+"), (800, "B"), (700, "C"), (0, "F"))
"""The least points of each grade, best first."""

STATUS = {
    "A+": "Production Ready",
    "A": "Production Ready",
    "B+": "Conditional",
    "B": "Conditional",
    "C": "Development Only",
    "F": "Blocked",
}
"""Status words by the grade of the low end."""

CAPPED = "Development Only"
"""The best status while anything is missing: gateways, coverage, evidence or provenance."""

_NAMED = 6
"""As many names as a sentence bears; the reports list all."""

_Decided = list[tuple[PlannedCase, Outcome | None]]


def score(record: RunRecord) -> Score:
    """Score a record. A case that was planned and has no result is undecided, never a pass."""
    cases = _cases(record)
    categories = tuple(_category(name, weight, cases) for name, weight in WEIGHTS.items())
    penalties = tuple(_penalties(cases))
    gateways = tuple(_gateways(cases))
    low, high = _total(cases, penalties)
    if any(g.outcome is not None and g.outcome.failed for g in gateways):
        low = high = Fraction(0)
    missing = (*_missing(cases, categories, gateways), *_provenance(record))
    grade = grade_of(low)
    return Score(
        low=_hundredths(low),
        high=_hundredths(high),
        grade=grade,
        grade_high=grade_of(high),
        status=_status(grade, missing),
        incomplete=low != high,
        decided=sum(_is_decided(outcome) for _, outcome in cases),
        planned=len(cases),
        categories=categories,
        penalties=penalties,
        gateways=gateways,
        missing=missing,
    )


def grade_of(points: Fraction | float) -> str:
    """The grade of a number of points from 0 to 1000."""
    return next(grade for least, grade in GRADES if points >= least)


def _cases(record: RunRecord) -> _Decided:
    """Every case once. One with a result counts as planned, so that no failure hides.

    What a script answered says nothing of a model: such a case is undecided.
    """
    scripts = _scripts(record)
    real = (r for r in record.results if r.artifact_sha256 not in scripts)
    outcomes = {r.case.id: r.verdict.outcome for r in real}
    planned = {c.id: c for c in (*record.planned, *(r.case for r in record.results))}
    return [(case, outcomes.get(case_id)) for case_id, case in planned.items()]


def _scripts(record: RunRecord) -> set[str]:
    return {a.sha256 for a in record.artifacts if a.synthetic}


def _is_decided(outcome: Outcome | None) -> bool:
    return outcome is not None and not outcome.undecided


def _total(cases: _Decided, penalties: Iterable[Penalty]) -> tuple[Fraction, Fraction]:
    """The two ends: exact fractions, so that 950 points are 950 and not 949.99999."""
    ranges = [_points(_of(name, cases), weight) for name, weight in WEIGHTS.items()]
    off = sum(p.points for p in penalties)
    low = sum((low for low, _ in ranges), start=Fraction(-off))
    high = sum((high for _, high in ranges), start=Fraction(-off))
    return max(Fraction(0), low), max(Fraction(0), high)


def _of(name: Category, cases: _Decided) -> list[Outcome | None]:
    return [outcome for case, outcome in cases if case.category == name]


def _points(outcomes: Sequence[Outcome | None], weight: int) -> tuple[Fraction, Fraction]:
    """What was earned, and what is attainable; without any case, nothing and everything."""
    if not outcomes:
        return Fraction(0), Fraction(weight)
    passed = outcomes.count(Outcome.CORROBORATED)
    undecided = sum(not _is_decided(o) for o in outcomes)
    each = Fraction(weight, len(outcomes))
    return each * passed, each * (passed + undecided)


def _category(name: Category, weight: int, cases: _Decided) -> CategoryPoints:
    outcomes = _of(name, cases)
    low, high = _points(outcomes, weight)
    return CategoryPoints(
        name=name.value,
        weight=weight,
        low=_hundredths(low),
        high=_hundredths(high),
        planned=len(outcomes),
        corroborated=outcomes.count(Outcome.CORROBORATED),
        failed=sum(o is not None and o.failed for o in outcomes),
        undecided=sum(not _is_decided(o) for o in outcomes),
    )


def _hundredths(points: Fraction) -> float:
    """Rounded down: a grade's threshold is never reached by rounding."""
    return floor(points * 100) / 100


def _penalties(cases: _Decided) -> Iterator[Penalty]:
    for outcome, points in PENALTIES.items():
        if count := sum(o is outcome for _, o in cases):
            yield Penalty(outcome=outcome, count=count, points=count * points)


def _gateways(cases: _Decided) -> Iterator[GatewayState]:
    for case, outcome in cases:
        if case.is_gateway:
            yield GatewayState(scope=case.scope, gate=case.gate, outcome=outcome)


def _status(grade: str, missing: Sequence[str]) -> str:
    word = STATUS[grade]
    return CAPPED if missing and word in ("Production Ready", "Conditional") else word


def _missing(
    cases: _Decided, categories: Iterable[CategoryPoints], gateways: Sequence[GatewayState]
) -> Iterator[str]:
    failed = _by_scope(g for g in gateways if g.outcome and g.outcome.failed)
    undecided = _by_scope(g for g in gateways if not _is_decided(g.outcome))
    if not gateways:
        yield "No gateway is planned: nothing shows that the model loads and answers."
    if failed:
        yield f"Gateways failed, so the score is 0: {_some(failed, '; ')}."
    if undecided:
        yield f"Gateways are undecided: {_some(undecided, '; ')}."
    if empty := [c.name for c in categories if not c.planned]:
        yield f"No case is planned in {_some(empty)}: no points there."
    decided = sum(_is_decided(o) for _, o in cases)
    if decided < len(cases):
        yield f"{len(cases) - decided} of {len(cases)} planned cases are undecided."


def _provenance(record: RunRecord) -> Iterator[str]:
    if not record.artifacts:
        yield "No artifact is recorded: nothing says what the results belong to."
    if scripts := [a.key for a in record.artifacts if a.synthetic]:
        yield f"A script answers for {_some(scripts)}: that is no evidence of a model."
    if loose := [a.key for a in record.artifacts if not a.pinned]:
        yield f"Artifacts without a hash known beforehand: {_some(loose)}."
    known = {a.sha256 for a in record.artifacts}
    strays = [r.case.id for r in record.results if r.artifact_sha256 not in {"", *known}]
    if strays:
        yield f"Results of artifacts that are not recorded: {_some(strays)}."


def _by_scope(gateways: Iterable[GatewayState]) -> list[str]:
    """`G1, G2 on gguf-q4_1-cpu-chat`, a text a cell."""
    gates: dict[str, list[str]] = {}
    for gateway in gateways:
        gates.setdefault(gateway.scope, []).append(gateway.gate)
    return [f"{', '.join(names)} on {scope}" for scope, names in gates.items()]


def _some(names: Sequence[str], between: str = ", ") -> str:
    """The first few, and how many more."""
    more = len(names) - _NAMED
    return between.join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
