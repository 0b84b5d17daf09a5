"""Receipts of a run: one for each artifact that was compared with a reference.

Aggregates are functions of the exchanges alone, so that `modelqa verify-receipt` makes them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.identity import identities
from pytest_modelqa.core.check import Case
from pytest_modelqa.core.model import ArtifactSpec
from pytest_modelqa.core.receipt import (
    CheckReceipt,
    Exchange,
    Receipt,
    ReceivedArtifact,
    ReceivedEngine,
    sealed,
    to_json,
)
from pytest_modelqa.core.result import CaseResult, RunRecord
from pytest_modelqa.core.wire import encode
from pytest_modelqa.reports.files import write_text
from pytest_modelqa.reports.receipt_summary import overall, summary

_HASH_DIGITS = 12

Line = Mapping[str, Any]


def receipts(
    record: RunRecord,
    cases: Iterable[Case],
    lines: Iterable[Line],
    artifacts: Mapping[str, ReceivedArtifact],
    commit: str = "",
) -> tuple[Receipt, ...]:
    """One receipt for each cell with compared cases that have results.

    `lines` are those of the evidence, `artifacts` are known by key. Where the candidate
    or the reference is not among them, or changed since, there is nothing to give a receipt of.
    """
    hashes = {a.key: a.sha256 for a in record.artifacts}
    results = {r.case.id: r for r in record.results}
    answers = {line["key"]: line for line in lines if line["type"] == "answer"}
    by_cell: dict[str, list[Case]] = {}
    for case in cases:
        if case.reference is not None and case.id in results:
            by_cell.setdefault(case.scope, []).append(case)
    return tuple(
        sealed(_receipt(record, [(c, results[c.id]) for c in compared], answers, artifacts, commit))
        for compared in by_cell.values()
        if _known(compared[0], artifacts, hashes)
    )


def described(
    cases: Iterable[Case], known: Iterable[ArtifactSpec], folder: Path
) -> dict[str, ReceivedArtifact]:
    """What receipts say of the artifacts that compared cases have, by key.

    `known` are the playbook's artifacts, which others are derived from; `folder` is the playbook's.
    """
    specs = {
        spec.key: spec
        for case in cases
        if case.reference is not None and case.cell is not None
        for spec in (case.cell.artifact, case.reference)
    }
    return identities(specs.values(), {a.key: a for a in known}, folder=folder)


def write_receipts(folder: Path, made: Iterable[Receipt]) -> dict[str, Path]:
    """Write `parity_<date>_<sha>.json` files; their paths by cell. Raises OutputError."""
    paths = {}
    for receipt in made:
        paths[receipt.cell.id] = folder / file_name(receipt)
        write_text(paths[receipt.cell.id], to_json(receipt))
    return paths


def file_name(receipt: Receipt) -> str:
    """The day, and the first digits of the receipt's own hash: no receipt replaces another."""
    return f"parity_{receipt.created[:10]}_{receipt.sha256[:_HASH_DIGITS]}.json"


def _known(
    case: Case, artifacts: Mapping[str, ReceivedArtifact], hashes: Mapping[str, str]
) -> bool:
    """Whether both are described, and are the very files that the run opened."""
    assert case.cell is not None
    assert case.reference is not None
    keys = case.cell.artifact.key, case.reference.key
    return all(k in artifacts and artifacts[k].sha256 == hashes.get(k) for k in keys)


def _receipt(
    record: RunRecord,
    judged: Sequence[tuple[Case, CaseResult]],
    answers: Mapping[str, Line],
    artifacts: Mapping[str, ReceivedArtifact],
    commit: str,
) -> Receipt:
    first, _ = judged[0]
    assert first.cell is not None
    assert first.reference is not None
    keys = dict.fromkeys(key for _, result in judged for key in result.evidence)
    used = [answers[key] for key in keys]
    checks = tuple(_check(case, result) for case, result in judged)
    exchanges = tuple(_exchange(line) for line in used)
    engine, reference_engine = engines(line["engine"] for line in used)
    run = record.run
    return Receipt(
        created=run.ended or run.started,
        model=run.model,
        cell=first.cell,
        candidate=artifacts[first.cell.artifact.key],
        reference=artifacts[first.reference.key],
        engine=engine,
        reference_engine=reference_engine,
        versions=run.versions,
        machine=run.machine,
        commit=commit,
        playbook=run.playbook,
        playbook_sha256=run.playbook_sha256,
        exchanges=exchanges,
        checks=checks,
        summary=summary(exchanges),
        overall=overall(checks),
    )


def _check(case: Case, result: CaseResult) -> CheckReceipt:
    return CheckReceipt(
        case=case.id,
        name=case.check.name,
        gate=case.check.gate,
        parameters=encode(case.check),
        verdict=result.verdict,
        seconds=result.seconds,
        evidence=result.evidence,
    )


def _exchange(line: Line) -> Exchange:
    return Exchange(
        key=line["key"],
        engine=line["engine"],
        request=line["request"],
        answer=line["answer"],
        seconds=line["seconds"],
    )


def engines(recorded: Iterable[Mapping[str, Any]]) -> tuple[ReceivedEngine, ReceivedEngine]:
    """Those that measured; with comparisons of stored tensors alone there was none."""
    for ours in recorded:
        if reference := ours.get("reference"):
            settings = ours["settings"]
            same = {"backend": settings["backend"], "n_ctx": settings["n_ctx"]}
            return (
                ReceivedEngine(
                    name=ours["name"], build=ours["build"], dtype=settings["dtype"], **same
                ),
                ReceivedEngine(**reference, **same),
            )
    none = ReceivedEngine(name="", build="", backend="", dtype="", n_ctx=0)
    return none, none
