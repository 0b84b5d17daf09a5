"""Committed schemas and samples: current, valid, and strict against planted violations."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.wire import decode, decode_answer, decode_request
from pytest_modelqa.decision.judging import judged
from pytest_modelqa.reports.json_report import to_json
from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import read
from tests.reports.evidence_lines import EXCHANGES, checksum, lines
from tests.reports.records import healthy, mixed
from tests.reports.regenerate import FOLDER, SCHEMAS, current
from tests.reports.shipping_records import EVERY

Change = Callable[[Any], object]


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


REPORT = validator("report")
EVIDENCE = validator("evidence")


@pytest.mark.parametrize("path", current(), ids=lambda p: p.name)
def test_the_committed_file_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == current()[path], (
        "run: python -m tests.reports.regenerate"
    )


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.report.json")), ids=lambda p: p.name)
def test_the_committed_report_is_valid_and_reads_back(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    assert list(REPORT.iter_errors(document)) == []
    (report,) = document["reports"]
    record = decode(RunRecord, report["record"])
    assert record == EVERY[path.name.partition(".")[0]]()
    assert to_json([judged(record)]) == path.read_text(encoding="utf-8")


def test_every_sample_is_committed() -> None:
    assert {p.name.partition(".")[0] for p in FOLDER.glob("*.report.json")} == set(EVERY)


def test_no_reports_are_a_valid_document() -> None:
    assert list(REPORT.iter_errors(json.loads(to_json([])))) == []


def _first(document: Any) -> Any:
    return document["reports"][0]


REPORT_MISTAKES: dict[str, Change] = {
    "another format": lambda d: d.update(format="other"),
    "another version": lambda d: d.update(version=2),
    "an unknown key": lambda d: d.update(extra=1),
    "an unknown key deep down": lambda d: _first(d)["record"]["run"].update(host="h"),
    "no score": lambda d: _first(d).pop("score"),
    "no reason": lambda d: _first(d)["record"]["results"][0]["verdict"].update(reason=""),
    "an unknown outcome": lambda d: _first(d)["record"]["results"][0]["verdict"].update(
        outcome="passed"
    ),
    "a pass that tested nothing": lambda d: _first(d)["record"]["results"][0]["verdict"].update(
        tested=0
    ),
    "an unknown category": lambda d: _first(d)["record"]["planned"][0].update(category="MISC"),
    "an unknown severity": lambda d: _first(d)["record"]["planned"][0].update(severity="P9"),
    "a short hash": lambda d: _first(d)["record"]["artifacts"][0].update(sha256="c0ffee"),
    "a wrong evidence key": lambda d: _first(d)["record"]["results"][0].update(evidence=["x"]),
    "negative seconds": lambda d: _first(d)["record"]["results"][0].update(seconds=-1),
    "a negative score": lambda d: _first(d)["score"].update(low=-1),
    "too many points": lambda d: _first(d)["score"].update(high=1001),
    "text for a number": lambda d: _first(d)["score"].update(low="1000"),
    "a number for a truth": lambda d: _first(d)["score"].update(incomplete=0),
    "a kind in another's place": lambda d: _first(d).update(score=_first(d)["record"]),
    "a local time": lambda d: _first(d)["record"]["run"].update(started="2026-01-02 03:04"),
}


@pytest.mark.parametrize("name", REPORT_MISTAKES)
def test_the_report_schema_refuses(name: str) -> None:
    record = healthy()
    document = json.loads(to_json([judged(record)]))
    assert list(REPORT.iter_errors(document)) == []
    REPORT_MISTAKES[name](document)
    assert list(REPORT.iter_errors(document)) != []


def test_every_line_of_the_committed_evidence_is_valid_and_reads_back() -> None:
    text = (FOLDER / "run.evidence.jsonl").read_text(encoding="utf-8")
    found = [json.loads(line) for line in text.splitlines()]
    assert [list(EVIDENCE.iter_errors(line)) for line in found] == [[]] * len(found)
    answers = [line for line in found if line["type"] == "answer"]
    assert len(answers) == len(EXCHANGES)
    for line, (request, answer) in zip(answers, EXCHANGES, strict=True):
        assert decode_request(line["request"]) == request
        assert str(decode_answer(line["answer"])) == str(answer)  # NaN is not itself


def test_the_committed_evidence_is_what_the_store_reads_and_merges() -> None:
    (record,) = records(read([FOLDER]))
    assert record.planned == mixed().planned
    assert set(record.results) == set(mixed().results)
    assert record.answers == len(EXCHANGES)
    assert not record.run.interrupted


def test_checksums_of_the_samples_are_right() -> None:
    for line in lines():
        body = {k: v for k, v in line.items() if k != "crc"}
        assert line["crc"] == checksum(body)


LINE_MISTAKES: dict[str, tuple[str, Change]] = {
    "an unknown type": ("end", lambda x: x.update(type="note")),
    "no type": ("end", lambda x: x.pop("type")),
    "no checksum": ("end", lambda x: x.pop("crc")),
    "a wrong checksum's shape": ("end", lambda x: x.update(crc="XYZ")),
    "an unknown key": ("run", lambda x: x.update(extra=1)),
    "no plan": ("run", lambda x: x.pop("planned")),
    "a case without id": ("run", lambda x: x["planned"][0].update(id="")),
    "an artifact without hash": ("artifact", lambda x: x["artifact"].update(sha256="")),
    "a short key": ("answer", lambda x: x.update(key="abc")),
    "an unknown request": ("answer", lambda x: x["request"].update(kind="Ask")),
    "an answer as request": ("answer", lambda x: x.update(request=x["answer"])),
    "no engine's name": ("answer", lambda x: x["engine"].update(name="")),
    "nested settings": ("answer", lambda x: x["engine"]["settings"].update(a={})),
    "an unknown key of an answer": ("answer", lambda x: x["answer"].update(mood="good")),
    "a result without verdict": ("result", lambda x: x["result"].pop("verdict")),
    "an end without a time": ("end", lambda x: x.update(ended="")),
}


@pytest.mark.parametrize("name", LINE_MISTAKES)
def test_the_evidence_schema_refuses(name: str) -> None:
    kind, change = LINE_MISTAKES[name]
    line = copy.deepcopy(next(x for x in lines() if x["type"] == kind))
    assert list(EVIDENCE.iter_errors(line)) == []
    change(line)
    assert list(EVIDENCE.iter_errors(line)) != []
