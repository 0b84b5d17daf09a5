"""Under xdist a cell stays on one worker, and the summary comes out once, from merged evidence."""

from __future__ import annotations

from tests.conftest import ScriptedPlaybook, scenario
from tests.plugin.conftest import Run


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
