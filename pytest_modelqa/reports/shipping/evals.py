"""One harness as a document, `eval_<harness>.json`: totals, rate, threshold, verdict, every answer.

Rates and thresholds are shares from 0 to 1; what is a percentage says so in its name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from pytest_modelqa.core.result import CaseResult, RunRecord
from pytest_modelqa.core.shipping import Gauge, HarnessLine, ShipDecision
from pytest_modelqa.core.verdict import Outcome, Part
from pytest_modelqa.reports.shipping.shares import as_share, percentage
from pytest_modelqa.reports.text import one_line, printable

FORMAT = "modelqa-eval"


def harness_report(record: RunRecord, line: HarnessLine) -> dict[str, Any]:
    """What one harness found. Without a gauge the totals are 0 and nothing has passed."""
    result = next((r for r in record.results if r.case.id == line.case_id), None)
    gauge = result.verdict.gauge if result else None
    total = gauge.n if gauge else 0
    passed = gauge.passed if gauge else 0
    parts = result.verdict.parts if result else ()
    return {
        "format": FORMAT,
        "test_name": line.name,
        "timestamp": timestamp(record),
        "total_tests": total,
        "passed": passed,
        "failed": total - passed,
        "pass_rate_percent": percentage(passed / total if total else None),
        "ship_gate_threshold": as_share(line.threshold),
        "ship_gate_passed": line.passed,
        "kind": line.kind,
        "state": line.state,
        "value": line.value,
        "reason": printable(line.reason),
        "outcome": str(result.verdict.outcome) if result else "not run",
        "gauge": _gauge(gauge),
        "outcomes": dict(Counter(str(p.outcome) for p in parts)),
        "case_id": one_line(line.case_id),
        **subject(record),
        **_cost(result),
        "results": [_answer(p) for p in parts],
    }


def timestamp(record: RunRecord) -> str:
    """When the run ended; when it began, where it has no end."""
    return record.run.ended or record.run.started


def subject(record: RunRecord) -> dict[str, Any]:
    """What was judged, so that a report speaks for itself."""
    run, policy = record.run, record.run.ship
    key = policy.artifact if policy else ""
    shipped = next((a for a in record.artifacts if a.key == key), None)
    return {
        "model": one_line(run.model),
        "candidate": policy.candidate if policy else "",
        "artifact": key,
        "artifact_sha256": shipped.sha256 if shipped else "",
        "playbook": one_line(run.playbook),
        "playbook_sha256": run.playbook_sha256,
        "run": run.id,
    }


def file_names(ship: ShipDecision) -> dict[str, str]:
    """The file of each harness, by its case; one that runs in several cells names its cell."""
    names = Counter(line.name for line in ship.harnesses)
    return {
        line.case_id: f"eval_{_safe(line.name)}.json"
        if names[line.name] == 1
        else f"eval_{_safe(line.name)}-{_safe(line.case_id.partition('::')[0])}.json"
        for line in ship.harnesses
    }


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in one_line(name)).lstrip(".")


def _gauge(gauge: Gauge | None) -> dict[str, Any] | None:
    return asdict(gauge) if gauge else None


def _cost(result: CaseResult | None) -> dict[str, Any]:
    tokens = result.generated_tokens if result else 0
    decode_s = result.decode_s if result else 0.0
    return {
        "generated_tokens": tokens,
        "tokens_per_second": tokens / decode_s if decode_s > 0 else None,
        "engine_seconds": result.seconds if result else 0.0,
    }


def _answer(part: Part) -> dict[str, Any]:
    return {
        "name": one_line(part.name),
        "passed": part.outcome is Outcome.CORROBORATED,
        "outcome": str(part.outcome),
        "reason": printable(part.reason),
        "prompt": printable(part.asked),
        "answer": printable(part.answered),
    }
