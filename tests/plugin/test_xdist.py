"""Under xdist a cell stays on one worker, and the summary comes out once, from merged evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import read
from tests.conftest import ScriptedPlaybook, scenario
from tests.plugin.conftest import Run

TWO = """\
    - {format: gguf, quantization: f32, source: "file:script.json", engine: scripted}
    - {format: gguf, quantization: f16, source: "file:other.json", engine: scripted}
"""
GENERATED = "scenarios_generated: {families: [edge, formatting], count: 20}"


def two_artifacts(book: Path, other: str) -> Path:
    """The same playbook for two scripts: two groups, that two processes can share."""
    text = book.read_text()
    start, end = text.index("    - {format"), text.index("test_matrix")
    text = text[:start] + TWO + text[end:]
    book.write_text(text.replace("quantizations: [f32]", "quantizations: [f32, f16]"))
    (book.parent / "other.json").write_text(other)
    return book


def judged(folder: Path) -> tuple[tuple[CaseResult, ...], set[str]]:
    lines = list(read([folder]))
    (record,) = records(lines)
    return record.results, {line["key"] for line in lines if line["type"] == "answer"}


def test_a_parallel_run_gives_one_summary_and_the_same_outcomes(
    qualify_apart: Run, scripted: ScriptedPlaybook
) -> None:
    book = scripted(scenario("good", "Which?"), scenario("moon", "Where?", expected="Moon"))
    book.write_text(book.read_text().replace("modalities: [chat]", "modalities: [chat, run]"))
    serial, parallel = qualify_apart(book), qualify_apart(book, "-n", "2")
    for result in (serial, parallel):
        result.assert_outcomes(passed=12, failed=2)
        assert sum("of 1000" in line for line in result.outlines) >= 1
        assert result.ret == 1


@pytest.mark.parametrize("policy", ["stop_on_p0", "stop_on_first", "collect_all"])
def test_a_parallel_run_judges_and_asks_what_a_serial_one_does(
    qualify_apart: Run, scripted: ScriptedPlaybook, tmp_path: Path, policy: str
) -> None:
    """The first artifact's gateway falls: what the other process ran meanwhile is blocked too."""
    book = two_artifacts(
        scripted(
            scenario("good", "Which?"),
            rules=[{"match": "capital of France", "do": "empty"}],
            extra=f"{GENERATED}\nfailure_policy: {policy}",
        ),
        '{"text": "The city of Paris lies on the river Seine, and it is old."}',
    )
    qualify_apart(book, "--modelqa-report", str(tmp_path / "serial"))
    qualify_apart(book, "--modelqa-report", str(tmp_path / "parallel"), "-n", "2")
    (serial, asked), (parallel, asked_parallel) = (
        judged(tmp_path / name) for name in ("serial", "parallel")
    )
    assert [(r.case.id, r.verdict.outcome) for r in parallel] == [
        (r.case.id, r.verdict.outcome) for r in serial
    ]
    blocked = [r for r in serial if "blocked by gguf-f32-cpu-chat::G2" in r.verdict.reason]
    assert bool(blocked) is (policy != "collect_all")
    assert asked <= asked_parallel, "what ran before it was known to be blocked is evidence too"
    if policy == "collect_all":
        assert asked == asked_parallel
        assert [r.evidence for r in parallel] == [r.evidence for r in serial]
        assert {r.verdict.outcome for r in serial} >= {Outcome.CORROBORATED, Outcome.FALSIFIED}
