"""Evidence of one or several runs to finished records: what reports and score are made of.

Runs of the same playbook (by hash) become one record. Where several ran the same case, the latest
decides; merging evidence of several machines is concatenation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pytest_modelqa.core.result import ArtifactInfo, CaseResult, PlannedCase, RunInfo, RunRecord
from pytest_modelqa.core.wire import decode
from pytest_modelqa.runtime.stopping import settled

Span = tuple[float, float]
"""From when to when a worker answered, in seconds of one clock."""


@dataclass(slots=True)
class _Gathered:
    runs: list[RunInfo] = field(default_factory=list)
    planned: dict[str, PlannedCase] = field(default_factory=dict)
    results: dict[str, CaseResult] = field(default_factory=dict)
    artifacts: dict[str, ArtifactInfo] = field(default_factory=dict)
    answers: set[str] = field(default_factory=set)
    open: int = 0
    incidents: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    resumed: int = 0


def records(lines: Iterable[dict[str, Any]], run_id: str = "") -> list[RunRecord]:
    """One record a playbook, in order of first appearance; with `run_id`, of that run alone."""
    gathered: dict[str, _Gathered] = {}
    current: _Gathered | None = None
    for line in lines:
        if line["type"] == "run":
            run = decode(RunInfo, line["run"])
            current = None
            if not run_id or run.id == run_id:
                current = gathered.setdefault(run.playbook_sha256, _Gathered())
                current.runs.append(run)
                current.open += 1
                current.planned |= {p["id"]: decode(PlannedCase, p) for p in line["planned"]}
        elif current is not None:
            _take(current, line)
    return [_record(g) for g in gathered.values()]


def _take(into: _Gathered, line: dict[str, Any]) -> None:
    match line["type"]:
        case "artifact":
            info = decode(ArtifactInfo, line["artifact"])
            into.artifacts[info.key] = info
        case "answer":
            into.answers.add(line["key"])
            into.resumed += bool(line["resumed"])
            if not line["resumed"]:
                end = datetime.fromisoformat(line["time"]).timestamp()
                into.spans.append((end - line["seconds"], end))
        case "incident":
            into.incidents.append(f"{line['cell']}: {line['text']}")
        case "result":
            result = decode(CaseResult, line["result"])
            into.results[result.case.id] = result
        case "end":
            last = into.runs[-1]
            into.runs[-1] = replace(last, ended=line["ended"], interrupted=line["interrupted"])
            into.open -= 1


def _record(g: _Gathered) -> RunRecord:
    """A process of a run without an end line was cut off: the run counts as interrupted."""
    first = g.runs[0]
    ends = [r.ended for r in g.runs if r.ended]
    run = replace(
        first,
        started=min(r.started for r in g.runs),
        ended=max(ends, default=""),
        interrupted=g.open > 0 or any(r.interrupted for r in g.runs),
    )
    order = {case_id: i for i, case_id in enumerate(g.planned)}
    in_order = sorted(g.results.values(), key=lambda r: order.get(r.case.id, len(order)))
    results = settled(run.failure_policy, in_order)
    return RunRecord(
        run=run,
        planned=tuple(g.planned.values()),
        results=tuple(results),
        artifacts=tuple(g.artifacts.values()),
        answers=len(g.answers),
        incidents=tuple(g.incidents),
        engine_s=covered(g.spans),
        resumed=g.resumed,
    )


def covered(spans: Iterable[Span]) -> float:
    """Seconds that lie in at least one span: two workers at a time count once."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total
