"""The incident of a BLOCKED decision: what failed, by how much, why perhaps, and what to do now.

It is a PDCA document by the rules that the models of the playbook are held to: five sections, a
decision in TRON, links to what comes before and after. Texts of models stand below it, fenced, so
that no answer can change what the document says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from pytest_modelqa.core.result import CaseResult, RunRecord
from pytest_modelqa.core.shipping import Gauge, HarnessLine, ShipDecision
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.reports.shipping.canaries import trails_of
from pytest_modelqa.reports.shipping.causes import Cause
from pytest_modelqa.reports.shipping.evals import file_names, timestamp
from pytest_modelqa.reports.shipping.final import gauges_of
from pytest_modelqa.reports.shipping.history import Cleared
from pytest_modelqa.reports.shipping.ladder import Rung
from pytest_modelqa.reports.shipping.shares import percent
from pytest_modelqa.reports.text import one_line, printable, shortened

SAMPLES = 3
"""Failed answers that are shown of each harness; its report has them all."""

CHARACTERS = 1200
"""Of one sample."""

_LONGEST = 300
_NOT_PLAIN = re.compile(r"[^\w .,:%;/()+='-]")
_RESERVED = re.compile(
    r"\b(?:tbd|lorem ipsum)\b|\b(?:trigger|response|outcome|next)\s*[:-]", re.IGNORECASE
)


def incident(
    record: RunRecord,
    ship: ShipDecision,
    *,
    causes: Sequence[Cause],
    ladder: Sequence[Rung],
    cleared: Cleared | None,
) -> str:
    """The document. Everything of a model or file in its sections is reduced to plain words."""
    sections = (
        _head(record, cleared),
        _objective(record, ship),
        _plan(record, ship, ladder),
        _do(record, ship),
        _check(record, ship, causes),
        _act(ladder),
        _evidence(record, ship),
    )
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def plain(text: str) -> str:
    """One line of words that neither Markdown nor a reader of PDCAs takes for anything else."""
    line = _NOT_PLAIN.sub(" ", shortened(text, _LONGEST))
    return one_line(_RESERVED.sub(" ", line))


def _candidate(record: RunRecord) -> str:
    policy = record.run.ship
    chosen = f" ({policy.candidate})" if policy and policy.candidate else ""
    return plain(f"{record.run.model}{chosen}, {policy.artifact if policy else ''}")


def _head(record: RunRecord, cleared: Cleared | None) -> Iterator[str]:
    before = (
        f"[the cleared run {plain(cleared.run)}]({_target(cleared.report)})"
        if cleared
        else "[the decision of this run](eval_report_final.json)"
    )
    yield f"# Incident: {_candidate(record)} is BLOCKED"
    yield ""
    yield f"FOLLOWS: {before}"
    yield ""
    yield f"PRECEDES: [the next qualification by this playbook]({_target(record.run.playbook)})"
    yield ""


def _target(path: str) -> str:
    """A path that is a link's target whatever it holds."""
    return quote(one_line(path)) or "playbook.yaml"


def _objective(record: RunRecord, ship: ShipDecision) -> Iterator[str]:
    failed = sum(not line.passed for line in ship.harnesses)
    yield "## Objective"
    yield ""
    yield (
        f"Find out why {_candidate(record)} was not cleared for deployment on "
        f"{timestamp(record)[:10]}, and decide how to get to a model that is. "
        f"{failed} of {len(ship.harnesses)} harnesses did not pass, and "
        f"{ship.canaries - ship.canaries_passed} of {ship.canaries} canaries failed."
    )
    yield ""


def _plan(record: RunRecord, ship: ShipDecision, ladder: Sequence[Rung]) -> Iterator[str]:
    reason = plain(ship.reasons[0]) if ship.reasons else "a gate of the playbook failed"
    first = next((rung for rung in ladder if rung.supported), ladder[0])
    yield "## Plan"
    yield ""
    yield f"- Trigger: the ship decision of run {plain(record.run.id)} is BLOCKED. {reason}"
    yield "- Response: deployment is halted, and the model in production stays as it is."
    yield "- Outcome: users see no change; every failed gate is listed below with its distance."
    yield f"- Next: {plain(first.text)}"
    yield ""


def _do(record: RunRecord, ship: ShipDecision) -> Iterator[str]:
    run = record.run
    yield "## Do"
    yield ""
    asked = f"{len(ship.harnesses)} harnesses and {ship.canaries} canaries"
    yield f"- Ran {asked} of {plain(run.model)}."
    yield f"- Stopped the deployment of {_candidate(record)} with the exit code of the run."
    yield f"- Recorded {record.answers} answers as evidence of run {plain(run.id)}."
    for name in file_names(ship).values():
        yield f"- Wrote all answers of one harness to {plain(name)}."
    yield ""


def _check(record: RunRecord, ship: ShipDecision, causes: Sequence[Cause]) -> Iterator[str]:
    gauges = gauges_of(record)
    yield "## Check"
    yield ""
    for line in ship.harnesses:
        box = " " if line.value is None else "x"
        yield f"- [{box}] Measured {plain(line.name)}: {_distance(line, gauges.get(line.case_id))}"
    yield f"- [x] Checked the canaries: {ship.canaries_passed} of {ship.canaries} passed."
    yield (
        f"- [x] Compared the overall score, {_overall(ship)}, "
        f"with the least allowed, {percent(ship.min_overall)}."
    )
    yield ""
    yield "### Likely causes"
    yield ""
    if not causes:
        yield "- No cause shows in the evidence; the failed answers below were not compared yet."
    for cause in causes:
        yield f"- {cause.kind}: {plain(cause.text)}"
    yield ""


def _overall(ship: ShipDecision) -> str:
    return "unknown" if ship.overall is None else percent(ship.overall)


def _distance(line: HarnessLine, gauge: Gauge | None) -> str:
    """How far from the threshold, in percentage points, and what the bound says."""
    if line.value is None or gauge is None:
        return f"nothing was measured, verdict {line.state}. {plain(line.reason)}"
    points = (line.value - line.threshold) * 100
    side = "above" if points >= 0 else "below"
    metric = "F1 " if gauge.demand.metric == "f1" else ""
    more = f"; {gauge.needed} answers would decide" if gauge.needed else ""
    return (
        f"{gauge.passed} of {gauge.n} passed, {metric}{percent(line.value)}, "
        f"{abs(points):.2f} points {side} {percent(line.threshold)}, "
        f"lower bound {percent(gauge.lower)}: {line.state}{more}."
    )


def _act(ladder: Sequence[Rung]) -> Iterator[str]:
    yield "## Act"
    yield ""
    yield "The lesson is kept in the evidence: nothing is deployed before all gates are cleared."
    yield "The remedies from the least to the most effort; adopt the first that the causes support:"
    yield ""
    for number, rung in enumerate(ladder, start=1):
        mark = " (the evidence supports this)" if rung.supported else ""
        yield f"{number}. {plain(rung.text)}{mark}"
    yield ""


def _evidence(record: RunRecord, ship: ShipDecision) -> Iterator[str]:
    yield "## Evidence"
    yield ""
    yield from _fenced("\n".join(ship.reasons))
    results = {r.case.id: r for r in record.results}
    for line in ship.harnesses:
        result = results.get(line.case_id)
        if result and not line.passed:
            yield from _samples(line, result)
    for trail in trails_of(record):
        if trail.stages and trail.stages[-1].passed is not True:
            yield f"### Canary {plain(trail.name)}"
            yield ""
            shown = (trail.stages[0], trail.stages[-1]) if trail.lost_at else trail.stages[-1:]
            for stage in shown:
                yield f"Stage {plain(stage.stage)}: {plain(stage.reason)}"
                yield ""
                yield from _fenced(stage.answer)


def _samples(line: HarnessLine, result: CaseResult) -> Iterator[str]:
    failed = [p for p in result.verdict.parts if p.outcome is not Outcome.CORROBORATED]
    if not failed:
        return
    shown = min(SAMPLES, len(failed))
    yield f"### Harness {plain(line.name)}: {shown} of {len(failed)} failed answers"
    yield ""
    for part in failed[:SAMPLES]:
        yield f"Prompt {plain(part.name)}: {plain(part.reason)}"
        yield ""
        yield from _fenced(f"{part.asked}\n---\n{part.answered}")


def _fenced(text: str) -> Iterable[str]:
    """A code block that nothing in the text can end."""
    shown = printable(text)[:CHARACTERS]
    longest = max((len(m[0]) for m in re.finditer(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return (f"{fence}text", shown, fence, "")
