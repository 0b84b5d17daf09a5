"""The section at the end of a run: complete, copyable, and safe whatever a model said.

`samples/mixed.terminal.txt` is what it looks like; `python -m tests.reports.regenerate` writes it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_modelqa.core.result import CaseResult, RunRecord
from pytest_modelqa.core.verdict import Outcome, unavailable
from pytest_modelqa.decision.judging import judged
from pytest_modelqa.decision.score import score
from pytest_modelqa.reports.summary import groups, next_steps, slowest, speeds
from pytest_modelqa.reports.terminal import MOST_FAILURES, render
from tests.reports.records import (
    CELLS,
    SHA256,
    every_case,
    gateway_failed,
    healthy,
    hostile,
    mixed,
    nothing,
    record,
    result,
)
from tests.reports.records import unavailable as nothing_available
from tests.reports.shipping_records import EVERY

OWN_COLORS = re.compile(r"\x1b\[[0-9;]*m")


def rendered(*records: RunRecord, width: int = 100, color: bool = False) -> str:
    return render([judged(r) for r in records], {}, width=width, color=color)


def steps(whole: RunRecord) -> str:
    return "\n".join(next_steps(whole, score(whole)))


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", EVERY)
def test_plain_text_is_ascii_without_control_characters(name: str, width: int) -> None:
    text = rendered(EVERY[name](), width=width)
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))
    assert all(line == line.rstrip() for line in text.split("\n"))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_prose_and_tables_fit_the_page(width: int) -> None:
    wide = [line for line in rendered(mixed(), width=width).split("\n") if len(line) > width]
    assert all(re.match(r"\s*(\d\.|try:) ", line) for line in wide), wide


@pytest.mark.parametrize("name", EVERY)
def test_color_adds_nothing_but_colors(name: str) -> None:
    colored = rendered(EVERY[name](), color=True)
    bare = OWN_COLORS.sub("", colored)
    assert bare != colored
    assert all(line.isprintable() for line in bare.split("\n"))


def test_escapes_of_a_model_are_shown_never_obeyed() -> None:
    colored = rendered(hostile(), color=True)
    assert r"\x1b[31mred\x1b[0m" in colored
    assert "\x1b[31mred" not in colored
    assert "\x1b[2J" not in colored
    assert "[bold]markup[/bold]" in colored
    assert "日本語 😀" in colored
    assert "ünïcode<b>" in colored


def test_case_ids_commands_and_paths_are_never_wrapped() -> None:
    name = "a_rather_long_scenario_name_" * 5
    case = replace(every_case()[0], id=f"{CELLS[0]}::{name}", name=name)
    bad = result(case, Outcome.FALSIFIED)
    whole = replace(mixed(), results=(bad, *mixed().results))
    path = Path("/folder" * 30) / "junit.xml"
    text = render([judged(whole)], {"junit": path}, width=80, color=False)
    lines = text.split("\n")
    assert f"  FALSIFIED {CELLS[0]}::{name}" in lines
    assert f"  junit  {path}" in lines
    assert '            try: python -m pip install "pytest-modelqa[llamacpp]"' in lines


def test_gateways_are_a_table_of_cells_and_gates() -> None:
    lines = [line.split() for line in rendered(gateway_failed()).split("\n")]
    assert ["cell", "G0", "G1", "G2", "G3", "G4"] in lines
    assert [CELLS[0], "ok", "ok", "FALSIFIED", "unavail.", "unavail."] in lines
    assert [CELLS[1], "ok", "ok", "ok", "ok", "ok"] in lines


def test_gateways_that_were_not_run_are_no_pass() -> None:
    row = "  ".join([CELLS[1], *["not run"] * 5])
    assert f"  {row}" in rendered(nothing()).split("\n")


def test_outcomes_are_counted_with_rate_and_interval() -> None:
    text = " ".join(rendered(mixed()).split())
    assert "14 corroborated, 1 inconclusive, 2 unavailable, 1 falsified" in text
    assert "1 timeout, 1 crashed, 2 not run" in text
    assert "14 of 17 decided cases passed: 82.3 % (95 % interval 58.9 to 93.9 %)" in text
    assert "17 of 22 planned cases were decided" in text


def test_one_failure_among_many_never_rounds_up_to_everything() -> None:
    case = every_case()[6]
    many = [replace(case, id=f"{case.id}{i}") for i in range(3000)]
    results = [result(c, Outcome.CORROBORATED) for c in many]
    results[7] = result(many[7], Outcome.FALSIFIED)
    whole = replace(healthy(), planned=tuple(many), results=tuple(results))
    assert "2999 of 3000 decided cases passed: 99.9 %" in rendered(whole)


def test_failures_tell_their_reason_and_healthy_records_have_none() -> None:
    text = rendered(mixed())
    assert "the answer lacks `Paris`: `The capital of France is Lyon`" in text
    assert "the worker died of signal 11" in text
    assert "\nFailed\n" not in rendered(healthy())
    assert "\nUndecided\n" not in rendered(healthy())


def test_a_failed_gateway_comes_before_other_failures() -> None:
    text = rendered(
        record({f"{CELLS[0]}::ask_qual": Outcome.CRASHED, f"{CELLS[1]}::G3": Outcome.FALSIFIED})
    )
    assert text.index(f"FALSIFIED {CELLS[1]}::G3") < text.index(f"CRASHED   {CELLS[0]}::ask_qual")


def test_many_failures_are_cut_short_and_counted() -> None:
    text = rendered(record({c.id: Outcome.FALSIFIED for c in every_case()}))
    assert len(re.findall("^  FALSIFIED ", text, re.MULTILINE)) == MOST_FAILURES
    assert f"and {len(every_case()) - MOST_FAILURES} more, see the reports" in text


def _announced(case_result: CaseResult, name: str) -> CaseResult:
    verdict = unavailable(f"the checks of `{name}` are not part of this version", remedy="upgrade")
    return replace(case_result, verdict=verdict)


def test_undecided_cases_are_grouped_by_reason_and_remedy() -> None:
    (group,) = groups(nothing_available())
    assert len(group.cases) == 22
    results = [_announced(r, f"block{i}") for i, r in enumerate(healthy().results)]
    (group,) = groups(replace(healthy(), results=tuple(results)))
    assert group.reason == "the checks of `...` are not part of this version"
    assert [len(g.cases) for g in groups(mixed())] == [2, 1]
    assert groups(healthy()) == []


def test_speed_is_generated_tokens_by_decoding_seconds() -> None:
    assert [s.scope for s in speeds(healthy())] == list(CELLS)
    assert [s.rate for s in speeds(healthy())] == pytest.approx([160, 160])
    assert speeds(nothing_available()) == []


def test_the_slowest_come_first_and_are_few() -> None:
    seconds = [r.seconds for r in slowest(healthy())]
    assert seconds == sorted(seconds, reverse=True)
    assert len(seconds) == 5
    assert slowest(nothing()) == []


def test_the_score_is_shown_with_grade_status_and_what_is_missing() -> None:
    text = rendered(mixed())
    assert "MQS 511.66..886.66 of 1000 (incomplete), grade F..B+, status Blocked" in text
    assert "- 5 of 22 planned cases are undecided." in text
    assert "-20 points: 1 crashed" in text
    assert "MQS 1000 of 1000, grade A+, status Production Ready" in rendered(healthy())


def test_artifacts_say_whether_they_are_pinned() -> None:
    assert "NOT PINNED" in rendered(mixed())
    assert "NOT PINNED" not in rendered(healthy())
    assert SHA256[:12] in rendered(healthy())


def test_each_condition_has_its_next_step_and_soundness_has_none() -> None:
    assert steps(healthy()) == "Nothing is left to do: Production Ready."
    assert "-k 'gguf-q4_1-cpu-chat and G2'" in steps(gateway_failed())
    assert "3 failed cases again: pytest --playbook tiny-chat.yaml --lf" in steps(mixed())
    assert 'Decide 2 more cases: python -m pip install "pytest-modelqa' in steps(mixed())
    assert "Run the 2 cases that were left out" in steps(mixed())
    assert f"write `sha256: {SHA256}`" in steps(mixed())
    cut_off = replace(healthy(), run=replace(healthy().run, interrupted=True))
    assert "The run was cut off" in steps(cut_off)
    assert "left out" not in steps(replace(mixed(), run=cut_off.run))
    without = tuple(c for c in healthy().planned if c.category != "EDGE")
    results = tuple(r for r in healthy().results if r.case.category != "EDGE")
    assert "Plan cases in EDGE" in steps(replace(healthy(), planned=without, results=results))


def test_several_records_follow_each_other_and_paths_come_last() -> None:
    whole = [healthy(), hostile()]
    text = render([judged(r) for r in whole], {"report": Path("r.json")}, width=100, color=False)
    assert text.index("tiny-chat.yaml: ") < text.index(r"b\xf6\xf6k.yaml: ")
    assert text.endswith("Reports\n  report  r.json")
    assert "\nReports\n" not in rendered(healthy())


def test_a_page_without_records_is_empty() -> None:
    assert rendered() == ""
