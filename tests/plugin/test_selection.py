"""pytest's own selection works, and shrinks what is asked of the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_modelqa.runtime.store import read
from tests.conftest import ScriptedPlaybook, scenario
from tests.plugin.conftest import Run


def test_collect_only_lists_readable_ids_and_loads_nothing(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = qualify(scripted(load="abort"), "--collect-only", "-q", "--modelqa-report", str(out))
    result.stdout.fnmatch_lines(
        ["*book.yaml::gguf-f32-cpu-chat::G0", "*book.yaml::gguf-f32-cpu-chat::capital"]
    )
    assert result.ret == 0
    assert not out.exists()


def test_k_selects_and_only_that_is_asked(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    book = scripted(scenario("one", "First?"), scenario("two", "Second?"))
    result = qualify(book, "-k", "two", "--modelqa-report", str(tmp_path / "out"))
    result.assert_outcomes(passed=1, deselected=6)
    asked = [r["request"] for r in read([tmp_path / "out"]) if r["type"] == "answer"]
    assert [a["messages"][0]["content"] for a in asked] == ["Second?"]


@pytest.mark.parametrize(("expression", "count"), [("gateway", 5), ("tier2", 1), ("edge", 1)])
def test_m_selects_by_tier_and_category(
    qualify: Run, scripted: ScriptedPlaybook, expression: str, count: int
) -> None:
    book = scripted(scenario("one", "First?", tier=2, category="EDGE"), extra="tier: 1")
    qualify(book, "-m", expression).assert_outcomes(passed=count, deselected=6 - count)


def test_a_selection_of_nothing_fails_with_the_reason(
    qualify: Run, scripted: ScriptedPlaybook
) -> None:
    result = qualify(scripted(), "-k", "nosuchcase")
    assert result.ret == 5
    result.stdout.fnmatch_lines(["No case ran: book.yaml has 6 cases*selection*left none."])


def test_lf_runs_what_failed_last(qualify: Run, scripted: ScriptedPlaybook) -> None:
    book = scripted(scenario("good", "Which?"), scenario("moon", "Where?", expected="Moon"))
    qualify(book).assert_outcomes(passed=6, failed=1)
    result = qualify(book, "--lf")
    assert result.parseoutcomes()["failed"] == 1
    assert "passed" not in result.parseoutcomes()


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_x_and_maxfail_stop_at_the_first_failure(
    qualify: Run, scripted: ScriptedPlaybook, option: str
) -> None:
    book = scripted(scenario("moon", "Where?", expected="Moon"), scenario("good", "Which?"))
    qualify(book, option).assert_outcomes(passed=5, failed=1)


def test_two_playbooks_run_side_by_side_and_keep_their_evidence_apart(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    (tmp_path / "two").mkdir()
    one = scripted()
    two = scripted(
        scenario("other", "Which?"), folder=tmp_path / "two", text="Not that city. It is Rome."
    )
    result = qualify(one, "--playbook", str(two), "--modelqa-report", str(tmp_path / "out"))
    result.assert_outcomes(passed=11, failed=1)
    reports = json.loads((tmp_path / "out" / "report.json").read_text())["reports"]
    names = [[r["case"]["name"] for r in report["record"]["results"]] for report in reports]
    assert [n[-1] for n in names] == ["capital", "other"]
    assert [len(n) for n in names] == [6, 6]


def test_other_tests_are_not_dragged_in(
    qualify: Run, scripted: ScriptedPlaybook, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\ntestpaths = .")
    pytester.makepyfile("def test_other(): assert False")
    qualify(scripted()).assert_outcomes(passed=6)
