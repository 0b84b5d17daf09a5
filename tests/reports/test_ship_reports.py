"""The files of a ship decision: complete, strict JSON, the same numbers everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.core.errors import OutputError
from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.decision.judging import judged
from pytest_modelqa.reports.junit import case_properties, properties
from pytest_modelqa.reports.shipping.history import last_cleared
from pytest_modelqa.reports.shipping.shares import percent, percentage
from pytest_modelqa.reports.shipping.speed import engine_use
from pytest_modelqa.reports.shipping.write import write_decisions
from pytest_modelqa.reports.terminal import render
from tests.reports.records import healthy
from tests.reports.shipping_records import (
    SHIPPING,
    blocked,
    canary,
    cleared,
    harness,
    hostile_decision,
    lost,
    shipping,
)


def written(folder: Path, *records: RunRecord) -> dict[str, Path]:
    return write_decisions(folder, [judged(r) for r in records], {})


def read(path: Path) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.mark.parametrize("name", SHIPPING)
def test_every_file_is_strict_json_and_speaks_of_what_was_judged(name: str, tmp_path: Path) -> None:
    record = SHIPPING[name]()
    written(tmp_path, record)
    found = [read(path) for path in sorted(tmp_path.glob("*.json"))]
    assert len(found) >= 3
    for document in found:
        assert document["run"] == record.run.id
        assert document["artifact"] == "gguf-q4_1"
        assert document["timestamp"] == record.run.ended


def test_a_harness_report_has_the_totals_the_threshold_and_every_answer(tmp_path: Path) -> None:
    written(tmp_path, blocked())
    found = read(tmp_path / "eval_pdca_schema.json")
    assert found["test_name"] == "pdca_schema"
    assert (found["total_tests"], found["passed"], found["failed"]) == (100, 92, 8)
    assert (found["pass_rate_percent"], found["ship_gate_threshold"]) == (92, 0.95)
    assert found["ship_gate_passed"] is False
    assert found["gauge"]["n"] == 100
    assert 0.86 < found["gauge"]["lower"] < found["gauge"]["value"] == 0.92
    answers = found["results"]
    assert [a["passed"] for a in answers] == [True] * 92 + [False] * 8
    assert answers[99]["prompt"] == "Write document 99."
    assert answers[99]["answer"] == "an answer 99"


def test_a_harness_that_measured_nothing_has_a_report_that_says_so(tmp_path: Path) -> None:
    written(tmp_path, blocked())
    for name, outcome in (("empty_constructor", "crashed"), ("tool_success", "not run")):
        found = read(tmp_path / f"eval_{name}.json")
        assert (found["outcome"], found["total_tests"], found["value"]) == (outcome, 0, None)
        assert found["ship_gate_passed"] is False
        assert found["pass_rate_percent"] is None


def test_the_canary_report_shows_stages_side_by_side_and_where_tasks_were_lost(
    tmp_path: Path,
) -> None:
    written(tmp_path, blocked())
    found = read(tmp_path / "canary_report.json")
    assert (found["total_tasks"], found["passed"], found["all_passed"]) == (3, 1, False)
    assert found["survival"]["gguf-q4_1"] == {"passed": 1, "failed": 2, "no_answer": 0, "lost": 1}
    assert found["survival"]["gguf-f16"]["lost"] == 0
    assert found["groups"] == {
        "patterns": {"total": 2, "passed": 0},
        "structure": {"total": 1, "passed": 1},
    }
    first = found["results"][0]
    assert [s["passed"] for s in first["stages"]] == [True, True, True, False]
    assert first["lost_at"] == "gguf-q4_1"


def test_no_canaries_are_not_all_passed(tmp_path: Path) -> None:
    written(tmp_path, shipping(harness("a", 100)))
    found = read(tmp_path / "canary_report.json")
    assert (found["total_tasks"], found["all_passed"]) == (0, False)


@pytest.mark.parametrize(("record", "word"), [(cleared(), "CLEARED"), (blocked(), "BLOCKED")])
def test_the_final_report_says_what_was_decided_and_of_what(
    record: RunRecord, word: str, tmp_path: Path
) -> None:
    written(tmp_path, record)
    found = read(tmp_path / "eval_report_final.json")
    ship = judged(record).ship
    assert ship is not None
    assert (found["decision"], found["cleared_for_deployment"]) == (word, word == "CLEARED")
    assert found["reasons"] == list(ship.reasons)
    assert found["overall_score"] == ship.overall
    assert found["ship_gates_passed"] is (word == "CLEARED")
    assert [r["test_name"] for r in found["results"]] == [line.name for line in ship.harnesses]
    for result in found["results"]:
        assert (tmp_path / result["report"]).is_file()


def test_an_incident_is_written_for_blocked_alone_and_does_not_outlive_it(tmp_path: Path) -> None:
    assert "incident" in written(tmp_path, blocked())
    assert (tmp_path / "incident.md").is_file()
    assert "incident" not in written(tmp_path, cleared())
    assert not (tmp_path / "incident.md").exists()


def test_several_decisions_have_a_folder_each(tmp_path: Path) -> None:
    other = cleared()
    other = replace(other, run=replace(other.run, playbook="b.yaml", playbook_sha256="cd" * 32))
    same = replace(other, run=replace(other.run, playbook_sha256="ef" * 32))
    written(tmp_path, blocked(), other, same, healthy())
    assert sorted(p.parent.name for p in tmp_path.glob("*/eval_report_final.json")) == [
        "ship-b-cdcdcdcd",
        "ship-b-efefefef",
        "ship-tiny-chat",
    ]


def test_a_playbook_without_gates_leaves_no_files(tmp_path: Path) -> None:
    assert written(tmp_path, healthy()) == {}
    assert list(tmp_path.iterdir()) == []


def test_the_same_harness_in_two_cells_has_two_files(tmp_path: Path) -> None:
    one = harness("a", 100)
    two = replace(one, case=replace(one.case, id="other-cell::ship-a", scope="other-cell"))
    written(tmp_path, shipping(one, two))
    assert sorted(p.name for p in tmp_path.glob("eval_a*")) == [
        "eval_a-gguf-q4_1-cpu-chat.json",
        "eval_a-other-cell.json",
    ]


def test_a_name_that_means_harm_stays_in_the_folder(tmp_path: Path) -> None:
    bad = harness("../../x", 100)
    folder = tmp_path / "deep" / "down"
    written(folder, shipping(bad))
    assert [p.name for p in tmp_path.rglob("eval_*x.json")] == ["eval__.._x.json"]
    assert all(p.is_relative_to(folder) for p in tmp_path.rglob("*.json"))


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OutputError, match="cannot write the decision"):
        written(file, blocked())


def test_hostile_text_is_shown_escaped(tmp_path: Path) -> None:
    written(tmp_path, hostile_decision())
    for path in tmp_path.iterdir():
        assert "\x1b" not in path.read_text(encoding="utf-8")
        assert "\\u001b" not in path.read_text(encoding="utf-8")


def test_the_last_cleared_run_beside_this_one_is_found(tmp_path: Path) -> None:
    older = cleared()
    newer = replace(older, run=replace(older.run, id="newer", ended="2026-01-05T00:00:00Z"))
    foreign = replace(newer, run=replace(newer.run, id="foreign", playbook="other.yaml"))
    written(tmp_path / "one", older)
    written(tmp_path / "two", newer)
    written(tmp_path / "three", foreign)
    written(tmp_path / "four", blocked())
    (tmp_path / "five").mkdir()
    (tmp_path / "five" / "eval_report_final.json").write_text("[]")
    found = last_cleared(tmp_path / "four", "tiny-chat.yaml")
    assert found is not None
    assert (found.run, found.report) == ("newer", "../two/eval_report_final.json")
    assert last_cleared(tmp_path / "two", "other.yaml") is not None
    assert last_cleared(tmp_path / "two", "unknown.yaml") is None


def test_junit_tells_the_decision_and_what_each_harness_measured() -> None:
    named = properties(judged(blocked()))
    assert named["modelqa.ship_decision"] == "BLOCKED"
    assert named["modelqa.ship_canaries"] == "1/3"
    assert "pdca_schema is blocked" in named["modelqa.ship_reasons"]
    assert properties(judged(cleared()))["modelqa.ship_decision"] == "CLEARED"
    assert not any("ship" in name for name in properties(judged(healthy())))
    of_case = case_properties(blocked().results[1])
    assert of_case["modelqa.ship.state"] == "inconclusive"
    assert of_case["modelqa.ship.needed"] == "361"
    assert of_case["modelqa.ship.confidence"] == "0.95"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.57, 57.0), (0.94999, 94.99), (1.0, 100.0), (0.0, 0.0), (199 / 200, 99.5)],
)
def test_percentages_never_round_up(share: float, shown: float) -> None:
    assert percentage(share) == shown


def test_what_is_unknown_is_no_number() -> None:
    assert (percentage(None), percentage(float("nan")), percent(None)) == (None, None, "-")


def test_the_share_of_the_engine_is_of_what_this_run_asked_itself() -> None:
    record = shipping(harness("a", 100))
    assert engine_use(record).share == pytest.approx(27 / 30)
    assert engine_use(replace(record, engine_s=0.0, resumed=100)).share is None
    assert engine_use(replace(record, engine_s=45.0)).share is None
    assert engine_use(replace(record, run=replace(record.run, ended=""))).share is None
    assert engine_use(record).tokens_per_s == pytest.approx(160.0)
    nothing = shipping(lost("a", Outcome.UNAVAILABLE, "no engine"))
    assert engine_use(nothing).tokens_per_s is None


def test_a_regression_is_named(tmp_path: Path) -> None:
    made = canary("a", [True, False])
    assert made.verdict.trail is not None
    trail = replace(made.verdict.trail, regression=True)
    made = replace(made, verdict=replace(made.verdict, trail=trail))
    written(tmp_path, shipping(harness("b", 100), made))
    assert read(tmp_path / "canary_report.json")["regressions"] == ["a"]


def test_negative_more_samples_are_no_remedy_for_answers_that_never_came() -> None:
    """A line on samples stands where statistics left it open, and nowhere else."""
    whole = harness("a", 99)
    assert whole.verdict.gauge is not None
    gauge = replace(whole.verdict.gauge, state="inconclusive", needed=None)
    cut = replace(whole.verdict, outcome=Outcome.TIMEOUT, tested=99, gauge=gauge)
    said = [
        render([judged(shipping(found))], {}, width=100, color=False)
        for found in (replace(whole, verdict=cut), harness("a", 95, confidence=0.95))
    ]
    assert ["no number of answers would decide" in text for text in said] == [False, True]
