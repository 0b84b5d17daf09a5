"""JUnit XML of records, as Jenkins and GitLab read it: a suite a playbook, a case a case.

falsified is a failure; crashed and timeout are errors, told apart by their type; everything that
was not decided is skipped with its reason, a planned case without result among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from junit_xml import TestCase, TestSuite, to_xml_report_string

from pytest_modelqa.core.result import CaseResult, PlannedCase, RunRecord
from pytest_modelqa.core.score import Judged
from pytest_modelqa.core.shipping import Gauge, ShipDecision
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.reports.text import one_line, printable

NOT_RUN = "not run: planned, but the run has no result of it"


def junit_xml(judged: Sequence[Judged]) -> str:
    """The document, to be written as UTF-8. Characters that XML forbids are shown escaped."""
    labels = _labels([j.record for j in judged])
    suites = [_suite(label, j) for label, j in zip(labels, judged, strict=True)]
    xml: str = to_xml_report_string(suites, prettyprint=True)
    return xml.replace("?>", ' encoding="utf-8"?>', 1)


def case_properties(result: CaseResult) -> dict[str, str]:
    """What a dashboard needs to know of a case, by name, all of them `modelqa.*`."""
    return {
        "modelqa.cell": result.case.scope,
        "modelqa.gate": result.case.gate,
        "modelqa.category": result.case.category,
        "modelqa.outcome": str(result.verdict.outcome),
        "modelqa.reason": result.verdict.reason,
        "modelqa.artifact_sha256": result.artifact_sha256,
        **_measured(result.verdict.gauge),
    }


def _measured(gauge: Gauge | None) -> dict[str, str]:
    """What a harness of the ship gates measured, all of it `modelqa.ship.*`."""
    if gauge is None:
        return {}
    named = {
        "kind": gauge.demand.kind,
        "metric": gauge.demand.metric,
        "threshold": gauge.demand.threshold,
        "confidence": gauge.demand.confidence,
        "n": gauge.n,
        "passed": gauge.passed,
        "value": gauge.value,
        "low": gauge.low,
        "high": gauge.high,
        "lower": gauge.lower,
        "state": gauge.state,
        "needed": gauge.needed,
    }
    return {f"modelqa.ship.{name}": str(v) for name, v in named.items() if v is not None}


def properties(judged: Judged, playbook: str = "") -> dict[str, str]:
    """What a dashboard needs to know of a suite, by name, all of them `modelqa.*`.

    With `playbook`, `modelqa.PLAYBOOK.*`: where one document speaks of several.
    """
    record, score, run = judged.record, judged.score, judged.record.run
    named = {
        "model": run.model,
        "revision": run.revision,
        "playbook": run.playbook,
        "playbook_sha256": run.playbook_sha256,
        "run": run.id,
        "seed": str(run.seed),
        "mode": " and ".join(run.modes),
        "strict": str(run.strict).lower(),
        "interrupted": str(run.interrupted).lower(),
        "score_low": str(score.low),
        "score_high": str(score.high),
        "grade": score.grades,
        "status": score.status,
        "coverage": f"{score.decided}/{score.planned}",
        **_decided(judged.ship),
    }
    named |= {f"sha256.{a.key}": a.sha256 for a in record.artifacts}
    named |= {f"pinned.{a.key}": str(a.pinned).lower() for a in record.artifacts}
    named |= {f"version.{name}": version for name, version in run.versions.items()}
    named |= {f"machine.{name}": value for name, value in run.machine.items()}
    prefix = f"modelqa.{playbook}." if playbook else "modelqa."
    return {f"{prefix}{name}": one_line(value) for name, value in named.items()}


def _decided(ship: ShipDecision | None) -> dict[str, str]:
    if ship is None:
        return {}
    return {
        "ship_decision": ship.word,
        "ship_overall": "" if ship.overall is None else str(ship.overall),
        "ship_min_overall": str(ship.min_overall),
        "ship_canaries": f"{ship.canaries_passed}/{ship.canaries}",
        "ship_reasons": " ".join(ship.reasons),
    }


def _labels(records: Sequence[RunRecord]) -> list[str]:
    """The playbooks' stems, told apart by their hashes where two versions of one were run."""
    stems = [one_line(PurePath(r.run.playbook).stem) for r in records]
    alike = Counter(stems)
    hashes = [r.run.playbook_sha256[:8] for r in records]
    return [
        f"{stem}-{sha256}" if alike[stem] > 1 else stem
        for stem, sha256 in zip(stems, hashes, strict=True)
    ]


def _suite(label: str, judged: Judged) -> TestSuite:
    record = judged.record
    results = {r.case.id: r for r in record.results}
    cases = {c.id: c for c in (*record.planned, *(r.case for r in record.results))}
    return TestSuite(
        label,
        [_case(label, case, results) for case in cases.values()],
        timestamp=record.run.started.removesuffix("Z"),
        properties=properties(judged),
    )


def _case(label: str, case: PlannedCase, results: Mapping[str, CaseResult]) -> TestCase:
    result = results.get(case.id)
    written = TestCase(
        one_line(case.id),
        classname=f"{label}.{one_line(case.scope)}",
        # Milliseconds: the library writes sums with str(), and 1e-05 is no decimal in XML.
        elapsed_sec=round(result.seconds, 3) if result else 0,
    )
    if result is None:
        written.add_skipped_info(NOT_RUN)
    else:
        _conclude(written, result)
    return written


def _conclude(written: TestCase, result: CaseResult) -> None:
    verdict = result.verdict
    kind, message = verdict.outcome.value, one_line(verdict.reason)
    if verdict.outcome is Outcome.FALSIFIED:
        written.add_failure_info(message, _body(result), kind)
    elif verdict.outcome.failed:
        written.add_error_info(message, _body(result), kind)
    elif verdict.outcome.undecided:
        written.add_skipped_info(f"{kind}: {message}", _body(result))
    else:
        written.stdout = f"{message} (tested: {verdict.tested})"


def _body(result: CaseResult) -> str:
    """Everything that a person needs who sees only this element."""
    case, verdict = result.case, result.verdict
    lines = [
        printable(verdict.reason),
        printable(verdict.detail),
        f"try: {printable(verdict.remedy)}" if verdict.remedy else "",
        f"gate {case.gate}, {case.category}, {case.severity}, tier {case.tier}",
        f"tested: {verdict.tested}",
        f"artifact sha256: {result.artifact_sha256}" if result.artifact_sha256 else "",
        f"evidence: {' '.join(result.evidence)}" if result.evidence else "",
    ]
    return "\n".join(line for line in lines if line)
