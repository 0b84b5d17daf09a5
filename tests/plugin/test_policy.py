"""When a gateway falls, the model's remaining cases are blocked, and say by what."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.runtime.store import read
from tests.conftest import ScriptedPlaybook, scenario
from tests.plugin.conftest import Run

MOON = scenario("moon", "Where?", expected="Moon")
CITY = scenario("city", "Which?")
EMPTY = [{"match": "capital of France", "do": "empty"}]


def test_stop_on_p0_blocks_the_rest_after_a_gateway(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    result = qualify(scripted(CITY, rules=EMPTY), "-rs", "--modelqa-report", str(tmp_path / "out"))
    result.assert_outcomes(passed=2, failed=1, skipped=3)
    result.stdout.fnmatch_lines(["SKIPPED*blocked by gguf-f32-cpu-chat::G2*"])
    asked = [r["request"] for r in read([tmp_path / "out"]) if r["type"] == "answer"]
    assert "Which?" not in str(asked), "a blocked case asks nothing"


def test_stop_on_p0_does_not_stop_at_a_scenario(qualify: Run, scripted: ScriptedPlaybook) -> None:
    qualify(scripted(MOON, CITY)).assert_outcomes(passed=6, failed=1)


def test_a_gate_declared_p0_stops_like_a_gateway(qualify: Run, scripted: ScriptedPlaybook) -> None:
    book = scripted(
        scenario("moon", "Where?", expected="Moon", gate="F-MOON-001"),
        CITY,
        extra="gates: {F-MOON-001: {severity: P0}}",
    )
    qualify(book).assert_outcomes(passed=5, failed=1, skipped=1)


def test_stop_on_first_blocks_after_any_failure(qualify: Run, scripted: ScriptedPlaybook) -> None:
    book = scripted(MOON, CITY, extra="failure_policy: stop_on_first")
    qualify(book).assert_outcomes(passed=5, failed=1, skipped=1)


def test_collect_all_runs_everything(qualify: Run, scripted: ScriptedPlaybook) -> None:
    book = scripted(MOON, CITY, rules=EMPTY, extra="failure_policy: collect_all")
    result = qualify(book)
    assert "skipped" not in result.parseoutcomes()


@pytest.mark.parametrize("load", ["abort", "refuse", "segfault"])
def test_a_model_that_does_not_load_fails_g1_and_blocks_the_rest(
    qualify: Run, scripted: ScriptedPlaybook, load: str
) -> None:
    result = qualify(scripted(load=load), "-v")
    result.stdout.fnmatch_lines(["*::G0 PASSED*", "*::G1 FAILED*", "*::G2 SKIPPED*"])
    assert result.ret == 1
