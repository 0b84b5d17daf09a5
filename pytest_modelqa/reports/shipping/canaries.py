"""The canaries as a document, `canary_report.json`: each through the stages, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytest_modelqa.core.result import CaseResult, PlannedCase, RunRecord
from pytest_modelqa.core.shipping import CanaryTrail, ShipDecision, StageAnswer
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.reports.shipping.evals import subject, timestamp
from pytest_modelqa.reports.shipping.shares import percentage
from pytest_modelqa.reports.text import one_line, printable

FORMAT = "modelqa-canaries"


def canary_report(record: RunRecord, ship: ShipDecision) -> dict[str, Any]:
    """All canaries; `all_passed` is false where there are none."""
    results = {r.case.id: r for r in record.results}
    cases = {c.id: c for c in (*record.planned, *(r.case for r in record.results))}
    canaries = [(c, results.get(c.id)) for c in cases.values() if c.role == "canary"]
    trails = trails_of(record)
    total, passed = ship.canaries, ship.canaries_passed
    return {
        "format": FORMAT,
        "timestamp": timestamp(record),
        "total_tasks": total,
        "passed": passed,
        "failed": total - passed,
        "pass_rate_percent": percentage(passed / total if total else None),
        "all_passed": total > 0 and passed == total,
        "regressions": [one_line(t.name) for t in trails if t.regression],
        "survival": survival(trails),
        "groups": _groups(canaries),
        **subject(record),
        "results": [_canary(case, result) for case, result in canaries],
    }


def trails_of(record: RunRecord) -> list[CanaryTrail]:
    """Canaries through the stages, as far as they were asked."""
    return [r.verdict.trail for r in record.results if r.verdict.trail is not None]


def survival(trails: Iterable[CanaryTrail]) -> dict[str, dict[str, int]]:
    """By stage, in the pipeline's order: how many canaries passed, failed, gave no answer; and
    how many were lost there, having passed before.
    """
    found: dict[str, dict[str, int]] = {}
    for trail in trails:
        for answer in trail.stages:
            row = found.setdefault(
                answer.stage, {"passed": 0, "failed": 0, "no_answer": 0, "lost": 0}
            )
            row[_word(answer)] += 1
            row["lost"] += answer.stage == trail.lost_at
    return found


def _word(answer: StageAnswer) -> str:
    return {True: "passed", False: "failed", None: "no_answer"}[answer.passed]


def _groups(canaries: Iterable[tuple[PlannedCase, CaseResult | None]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for _, result in canaries:
        trail = result.verdict.trail if result else None
        group = found.setdefault(one_line(trail.group) if trail else "", {"total": 0, "passed": 0})
        group["total"] += 1
        group["passed"] += result is not None and _passed(result)
    return found


def _passed(result: CaseResult) -> bool:
    return result.verdict.outcome is Outcome.CORROBORATED


def _canary(case: PlannedCase, result: CaseResult | None) -> dict[str, Any]:
    trail = result.verdict.trail if result else None
    last = trail.stages[-1] if trail and trail.stages else None
    return {
        "name": one_line(trail.name if trail else case.name.removeprefix("canary-")),
        "group": one_line(trail.group) if trail else "",
        "task": printable(trail.prompt) if trail else "",
        "passed": result is not None and _passed(result),
        "outcome": str(result.verdict.outcome) if result else "not run",
        "reason": printable(result.verdict.reason) if result else "planned, but without a result",
        "response": printable(last.answer) if last else "",
        "lost_at": trail.lost_at if trail else "",
        "regression": bool(trail and trail.regression),
        "stages": [_stage(s) for s in trail.stages] if trail else [],
    }


def _stage(answer: StageAnswer) -> dict[str, Any]:
    return {
        "stage": answer.stage,
        "passed": answer.passed,
        "reason": printable(answer.reason),
        "answer": printable(answer.answer),
    }
