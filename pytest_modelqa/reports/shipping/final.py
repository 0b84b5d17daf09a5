"""The decision as a document, `eval_report_final.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.shipping import Gauge, HarnessLine, ShipDecision
from pytest_modelqa.reports.shipping.canaries import survival, trails_of
from pytest_modelqa.reports.shipping.evals import file_names, subject, timestamp
from pytest_modelqa.reports.shipping.shares import as_share, percentage
from pytest_modelqa.reports.shipping.speed import engine_use
from pytest_modelqa.reports.text import printable

FORMAT = "modelqa-ship-decision"
VERSION = 1


def final_report(record: RunRecord, ship: ShipDecision) -> dict[str, Any]:
    """Everything that the decision was made of, and its word."""
    gauges = gauges_of(record)
    gates = [line for line in ship.harnesses if line.kind == "ship"]
    return {
        "format": FORMAT,
        "version": VERSION,
        "timestamp": timestamp(record),
        "decision": ship.word,
        "cleared_for_deployment": ship.cleared,
        "reasons": [printable(reason) for reason in ship.reasons],
        "overall_score": ship.overall,
        "overall_score_percent": percentage(ship.overall),
        "target_score": ship.min_overall,
        "ship_gates_passed": bool(gates) and all(line.passed for line in gates),
        **subject(record),
        "results": _results(ship, gauges),
        "canaries": {
            "total": ship.canaries,
            "passed": ship.canaries_passed,
            "survival": survival(trails_of(record)),
        },
        "failures": [line.name for line in ship.harnesses if not line.passed],
        "artifacts": [asdict(a) for a in record.artifacts],
        "speed": _speed(record),
        "machine": record.run.machine,
        "versions": record.run.versions,
    }


def gauges_of(record: RunRecord) -> dict[str, Gauge]:
    """What harnesses measured, by the case's id."""
    found = ((r.case.id, r.verdict.gauge) for r in record.results)
    return {case_id: gauge for case_id, gauge in found if gauge is not None}


def _results(ship: ShipDecision, gauges: Mapping[str, Gauge]) -> list[dict[str, Any]]:
    files = file_names(ship)
    return [_result(line, gauges.get(line.case_id), files[line.case_id]) for line in ship.harnesses]


def _result(line: HarnessLine, gauge: Gauge | None, file: str) -> dict[str, Any]:
    return {
        "test_name": line.name,
        "score": line.value,
        "threshold": as_share(line.threshold),
        "gate_type": line.kind,
        "gate_passed": line.passed,
        "state": line.state,
        "reason": printable(line.reason),
        "gauge": asdict(gauge) if gauge else None,
        "report": file,
    }


def _speed(record: RunRecord) -> dict[str, Any]:
    use = engine_use(record)
    return {
        "generated_tokens": use.tokens,
        "tokens_per_second": use.tokens_per_s,
        "tokens_per_second_in_all": use.tokens_per_s_in_all,
        "engine_seconds": use.engine_s,
        "wall_seconds": use.wall_s,
        "engine_share_of_wall": use.share,
        "answers_from_earlier_evidence": use.resumed,
    }
