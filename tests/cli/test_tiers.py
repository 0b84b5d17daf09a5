"""`modelqa tiers` times real pytest runs; what is red, over its budget or stopped is no success."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_modelqa.cli import main, tiers
from pytest_modelqa.core.errors import ExitCode, UsageError

TESTS = """
import pytest

@pytest.mark.tier1
def test_one():
    assert {one}

@pytest.mark.tier2
def test_two():
    assert False
"""
RUN = tiers.Run(tier=1, seconds=4.9, code=0, summary="9 passed", load=0.1, made="2026-01-01")


def project(folder: Path, monkeypatch: pytest.MonkeyPatch, *, one: str = "True") -> None:
    (folder / "test_tiers_of_mine.py").write_text(TESTS.format(one=one))
    monkeypatch.chdir(folder)


def test_the_selection_of_a_tier_holds_the_tiers_below() -> None:
    assert [tiers.expression(n) for n in (1, 2, 3)] == [
        "tier1",
        "tier1 or tier2",
        "tier1 or tier2 or tier3",
    ]


def test_a_green_tier_is_timed_printed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path, monkeypatch)
    code = main(["tiers", "--tier", "1"])
    run = tiers.kept(tiers.RESULTS)[1]
    assert run.green
    assert run.seconds > 0.05, "a process was started"
    assert run.summary.startswith("1 passed, 1 deselected")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["tier", "seconds", "budget", "load", "pytest", "said"]
    assert f"{run.seconds:.2f} s" in printed[1]
    assert "5 s" in printed[1]
    assert code == (ExitCode.OK if run.seconds <= 5 else ExitCode.FAILED)


def test_negative_control_a_red_tier_fails_however_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path, monkeypatch, one="False")
    assert main(["tiers", "--tier", "1"]) == ExitCode.FAILED
    run = tiers.kept(tiers.RESULTS)[1]
    assert run.verdict == "red"
    assert run.failures == ("FAILED test_tiers_of_mine.py::test_one - assert False",)
    printed = capsys.readouterr().out
    assert " red " in printed
    assert printed.splitlines()[-1] == run.failures[0]


def test_negative_control_a_tier_without_tests_is_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tiers.measured(1).verdict == "red"


def test_negative_control_a_run_that_hangs_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, monkeypatch, one="__import__('time').sleep(60)")
    monkeypatch.setattr(tiers, "_PATIENCE", 0.2)
    run = tiers.measured(1)
    assert run.code is None
    assert run.seconds < 30
    assert run.verdict == "stopped"
    assert not run.green


@pytest.mark.parametrize(
    ("seconds", "code", "verdict"),
    [
        (5.0, 0, "in budget"),
        (5.1, 0, "over"),
        (1.0, 1, "red"),
        (1.0, 5, "red"),
        (9.0, None, "stopped"),
    ],
)
def test_a_verdict_is_of_time_and_outcome(seconds: float, code: int | None, verdict: str) -> None:
    assert replace(RUN, seconds=seconds, code=code).verdict == verdict


def test_a_new_time_replaces_its_tier_alone(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "tiers.json"
    tiers.keep([RUN, replace(RUN, tier=2)], file)
    tiers.keep([replace(RUN, seconds=3.0)], file)
    assert {t: r.seconds for t, r in tiers.kept(file).items()} == {1: 3.0, 2: 4.9}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"runs": [{"tier": 1}]}', '{"runs": [3]}'])
def test_what_is_no_file_of_times_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tiers.json"
    file.write_text(text)
    with pytest.raises(UsageError, match="holds no measured tiers"):
        tiers.kept(file)


def test_a_tier_that_is_none_is_a_usage_error() -> None:
    assert main(["tiers", "--tier", "4"]) == ExitCode.USAGE


def test_negative_control_a_tier_whose_tests_were_all_skipped_is_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, monkeypatch, one="pytest.skip('not today')")
    run = tiers.measured(1)
    assert (run.code, run.passed, run.verdict) == (0, 0, "red")
    assert run.summary.startswith("1 skipped, 1 deselected")


def test_negative_control_options_of_the_environment_choose_no_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, monkeypatch)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    assert tiers.measured(1).summary.startswith("1 passed, 1 deselected")


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ("3 passed, 1 skipped in 0.12s", 3),
        ("1 failed, 12 passed in 75.30s (0:01:15)", 12),
        ("\x1b[32m\x1b[1m3 passed\x1b[0m\x1b[32m in 0.01s\x1b[0m", 3),
        ("2 xpassed in 0.10s", 0),
        ("9 skipped in 0.10s", 0),
        ("9 tests collected in 0.10s", 0),
        ("no tests ran in 0.01s", 0),
        ("nothing", 0),
    ],
)
def test_what_passed_is_what_pytest_counted(said: str, passed: int) -> None:
    run = replace(RUN, summary=said)
    assert run.passed == passed
    assert run.green == (passed > 0)


def test_what_is_said_after_pytests_counts_does_not_hide_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, monkeypatch)
    (tmp_path / "conftest.py").write_text("import atexit\natexit.register(print, 'bye')\n")
    assert tiers.measured(1).green
