"""Each verdict becomes the item's outcome, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ScriptedPlaybook, scenario
from tests.plugin.conftest import Run


def test_a_sound_model_passes_every_case(qualify: Run, scripted: ScriptedPlaybook) -> None:
    result = qualify(scripted(), "-v")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(
        [
            "*book.yaml::gguf-f32-cpu-chat::G0 PASSED*",
            "*book.yaml::gguf-f32-cpu-chat::capital PASSED*",
        ]
    )
    assert result.ret == 0


def test_a_wrong_answer_fails_its_case_with_the_reason(
    qualify: Run, scripted: ScriptedPlaybook
) -> None:
    result = qualify(scripted(scenario("moon", "Where?", expected="Moon")))
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["falsified: *Moon*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert result.ret == 1


@pytest.mark.parametrize(
    ("do", "outcome"),
    [("segfault", "crashed: *SIGSEGV*"), ("hang", "timeout: no answer within 5 s*")],
)
def test_a_crash_or_hang_fails_its_case_and_no_other(
    qualify: Run, scripted: ScriptedPlaybook, do: str, outcome: str
) -> None:
    book = scripted(
        scenario("good", "Which city?"),
        scenario("bad", "boom"),
        scenario("after", "And which city now?"),
        rules=[{"match": "boom", "do": do}],
    )
    result = qualify(book)
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines([outcome])


@pytest.mark.parametrize(
    ("do", "gate", "reason"),
    [
        ("nan", "G2", "NaN or Inf in the logits"),
        ("empty", "G2", "no visible text"),
        ("pad", "G2", "16 of them special"),
    ],
)
def test_a_broken_answer_falsifies_a_gateway(
    qualify: Run, scripted: ScriptedPlaybook, do: str, gate: str, reason: str
) -> None:
    result = qualify(scripted(rules=[{"match": "capital of France", "do": do}]), "-v")
    result.stdout.fnmatch_lines([f"*::{gate} FAILED*", f"falsified: *{reason}*"])


def test_a_looping_model_falsifies_g4(qualify: Run, scripted: ScriptedPlaybook) -> None:
    result = qualify(scripted(text="na na na na na na na na na na na na na na na na"), "-v")
    result.stdout.fnmatch_lines(["*::G2 PASSED*", "*::G4 FAILED*"])


def test_unavailable_is_a_skip_that_names_the_command(
    qualify: Run, scripted: ScriptedPlaybook
) -> None:
    book = scripted()
    book.write_text(
        book.read_text()
        .replace("formats: [gguf]", "formats: [gguf, apr]")
        .replace("quantizations: [f32]", "quantizations: {gguf: [f32], apr: [f32]}")
    )
    result = qualify(book, "-rs")
    result.assert_outcomes(passed=6, skipped=6)
    result.stdout.fnmatch_lines(
        ["SKIPPED *book.yaml*unavailable: the playbook names no file for apr-f32*; try:*"]
    )


def test_unavailable_fails_under_strict(qualify: Run, scripted: ScriptedPlaybook) -> None:
    book = scripted(extra="parity: {enabled: true}")
    relaxed, strict = qualify(book), qualify(book, "--modelqa-strict")
    relaxed.assert_outcomes(passed=6, skipped=1)
    assert relaxed.ret == 0
    strict.assert_outcomes(passed=6, failed=1)
    assert strict.ret == 1


def test_a_playbook_of_which_nothing_can_run_fails(
    qualify: Run, scripted: ScriptedPlaybook
) -> None:
    book = scripted()
    book.write_text(
        book.read_text()
        .replace("backends: [cpu]", "backends: [cpu]")
        .replace("file:script.json", "file:absent.json")
    )
    result = qualify(book)
    result.assert_outcomes(skipped=6)
    assert result.ret == 5
    result.stdout.fnmatch_lines(["*Nothing was decided*"])


def test_the_summary_shows_gateways_score_grade_and_paths(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    result = qualify(scripted(), "--modelqa-report", str(tmp_path / "out"))
    text = result.stdout.str()
    for part in ("gguf-f32-cpu-chat", "G0", "G4", "of 1000", "rade", "report.json", "junit.xml"):
        assert part in text, part
    assert (tmp_path / "out" / "report.json").exists()
    assert (tmp_path / "out" / "junit.xml").exists()
    assert list((tmp_path / "out").glob("*.evidence.jsonl"))
