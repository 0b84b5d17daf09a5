"""`modelqa tdg`: a score of four measured terms; without one of them there is none."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.cli import main, tdg, tdg_results, tiers
from pytest_modelqa.cli.tdg import BASELINE, make_missing
from pytest_modelqa.core.errors import ExitCode, UsageError

CASES = {"pass": "", "fail": "<failure/>", "error": "<error/>", "skip": "<skipped/>"}
FILES = tdg_results.Files()
COMMANDS = {
    "tests": "pytest --junitxml",
    "coverage": "modelqa tdg --run",
    "mutation": "python -m benchmarks.mutation",
    "speed": "modelqa tiers",
}
Captured = pytest.CaptureFixture[str]


def junit(*outcomes: str, said: int | None = None) -> str:
    cases = "".join(f'<testcase name="t{i}">{CASES[o]}</testcase>' for i, o in enumerate(outcomes))
    count = len(outcomes) if said is None else said
    return f'<testsuites><testsuite name="pytest" tests="{count}">{cases}</testsuite></testsuites>'


def coverage(**totals: Any) -> str:
    found = {
        "covered_lines": 80, "num_statements": 90, "covered_branches": 5, "num_branches": 10,
    }  # fmt: skip
    return json.dumps({"totals": found | totals})


SOURCES = {"one.py": "ONE = 1\n", "two.py": "TWO = 2\n", "test_both.py": "def test_both(): pass\n"}


def area(name: str, file: str, **more: Any) -> dict[str, Any]:
    """An area of 50 mutants, measured with two of the files that `results` writes."""
    sha256 = {n: hashlib.sha256(text.encode()).hexdigest() for n, text in SOURCES.items()}
    return {
        "name": name,
        "files": {file: sha256[file]},
        "tests": {"test_both.py": sha256["test_both.py"]},
        "mutants": 50,
        "tested": 50,
        "killed": 50,
    } | more


def mutation(**first: Any) -> str:
    """A run of two areas; `first` changes the first one, of which 45 mutants were found."""
    areas = [area("first", "one.py", **{"killed": 45, **first}), area("second", "two.py")]
    return json.dumps({"expected": {"first": ["one*.py"], "second": ["two.py"]}, "areas": areas})


def speed(*seconds: float, code: int | None = 0, said: str = "9 passed") -> str:
    made = [
        tiers.Run(tier=n, seconds=s, code=code, summary=said, load=0.0, made="2026-01-01")
        for n, s in enumerate(seconds, 1)
    ]
    return json.dumps({"runs": [asdict(run) for run in made]})


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all four results, where the command looks for them."""
    monkeypatch.chdir(tmp_path)
    for name, text in SOURCES.items():
        Path(name).write_text(text)
    for file, text in (
        (FILES.tests, junit("pass", "pass", "pass", "skip")),
        (FILES.coverage, coverage()),
        (FILES.mutation, mutation()),
        (FILES.speed, speed(10.0, 20.0, 100.0)),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


EXPECTED = 100 * (0.3 * 3 / 4 + 0.3 * 85 / 100 + 0.25 * 95 / 100 + 0.15 * 2.5 / 3)


@pytest.mark.usefixtures("results")
def test_the_score_is_printed_with_its_four_terms(capsys: Captured) -> None:
    assert main(["tdg"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "term", "tests", "coverage", "mutation", "speed", "score",
    ]  # fmt: skip
    assert lines[1].split()[1:4] == ["0.30", "75.00%", "22.50"]
    assert "3 of 4 passed, 0 failed, 1 skipped" in lines[1]
    assert "85 of 100 statements and branches ran" in lines[2]
    assert "95 of 100 mutants were found" in lines[3]
    assert "tier 1: 10.0 of 5 s, tier 2: 20.0 of 30 s, tier 3: 100.0 of 300 s" in lines[4]
    assert lines[5].split()[1] == f"{EXPECTED:.2f}"


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("term", COMMANDS)
def test_negative_control_a_missing_result_gives_no_score(term: str, capsys: Captured) -> None:
    Path(getattr(FILES, term)).unlink()
    assert main(["tdg"]) == ExitCode.NOTHING_RAN
    said = capsys.readouterr()
    assert "score" not in said.out
    assert f"{getattr(FILES, term)}: no such result, and without it there is no score" in said.err
    assert f"try: {COMMANDS[term]}" in said.err


BROKEN = {
    "no XML": ("tests", "<testsuites><testsuite"),
    "no count": ("tests", "<testsuites><testsuite/></testsuites>"),
    "cut and mended": ("tests", junit("pass", "pass", said=3)),
    "no test": ("tests", junit()),
    "no suite": ("tests", "<testsuites/>"),
    "no coverage": ("coverage", "{}"),
    "no branches": ("coverage", json.dumps({"totals": {"covered_lines": 1, "num_statements": 1}})),
    "nothing measured": ("coverage", coverage(num_statements=0, num_branches=0)),
    "more than all": ("coverage", coverage(covered_lines=1000)),
    "coverage NaN": ("coverage", coverage(covered_lines=float("nan"))),
    "no number": ("coverage", coverage(covered_lines="eighty")),
    "no mutant": ("mutation", '{"expected": {}, "areas": []}'),
    "no area": ("mutation", "[]"),
    "nothing expected": ("mutation", '{"areas": []}'),
    "an absolute pattern": ("mutation", mutation().replace("one*.py", "/one*.py")),
    "no mutants in one area": ("mutation", mutation(mutants=0, tested=0, killed=0)),
    "more killed": ("mutation", mutation(killed=51)),
    "no hashes": ("mutation", mutation(files=["one.py"])),
    "no tier 3": ("speed", speed(1.0, 1.0)),
    "red tiers": ("speed", speed(1.0, 1.0, 1.0, code=1)),
    "skipped tiers": ("speed", speed(1.0, 1.0, 1.0, said="9 skipped in 0.10s")),
    "stopped tiers": ("speed", speed(1.0, 1.0, 1.0, code=None)),
    "time of 0": ("speed", speed(0.0, 1.0, 1.0)),
    "no times": ("speed", "soon"),
}


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("name", BROKEN)
def test_negative_control_a_broken_result_gives_no_score(name: str, capsys: Captured) -> None:
    term, text = BROKEN[name]
    file: Path = getattr(FILES, term)
    file.write_text(text)
    assert main(["tdg"]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert str(file) in said.err
    assert "try: " in said.err


@pytest.mark.usefixtures("results")
def test_failed_and_skipped_tests_are_not_passed() -> None:
    FILES.tests.write_text(junit("pass", "fail", "error", "skip"))
    found = tdg_results.tests_term(FILES.tests)
    assert (found.value, found.counted) == (0.25, "1 of 4 passed, 2 failed, 1 skipped")


@pytest.mark.usefixtures("results")
def test_a_file_of_one_suite_alone_is_read_too() -> None:
    FILES.tests.write_text('<testsuite tests="1"><testcase name="t"/></testsuite>')
    assert tdg_results.tests_term(FILES.tests).value == 1.0


def test_terms_are_read_from_what_pytest_and_coverage_really_write(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text("def f(x):\n    if x:\n        return 1\n    return 2\n")
    (tmp_path / "test_half.py").write_text(
        "import pytest\nfrom half import f\n"
        "def test_one(): assert f(1) == 1\n"
        "def test_two(): assert f(1) == 2\n"
        "@pytest.mark.skip\ndef test_three(): pass\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--junitxml=j.xml", "-p", "no:cacheprovider"),
            *("--cov=half", "--cov-branch", "--cov-report=json:c.json", "test_half.py"),
        ],
        cwd=tmp_path, check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == ExitCode.FAILED
    assert tdg_results.tests_term(tmp_path / "j.xml").value == pytest.approx(1 / 3)
    # four statements of which the last never ran, two branches of which one was taken
    assert tdg_results.coverage_term(tmp_path / "c.json").value == pytest.approx(4 / 6)


@pytest.mark.usefixtures("results")
def test_a_baseline_is_written_and_the_same_score_holds_against_it(capsys: Captured) -> None:
    assert main(["tdg"]) == ExitCode.OK
    assert "no baseline" in capsys.readouterr().err
    assert not BASELINE.exists()
    assert main(["tdg", "--write-baseline"]) == ExitCode.OK
    written = json.loads(BASELINE.read_text())
    assert written["score"] == pytest.approx(EXPECTED)
    assert written["terms"]["tests"] == {
        "value": 0.75,
        "counted": "3 of 4 passed, 0 failed, 1 skipped",
    }
    capsys.readouterr()
    assert main(["tdg"]) == ExitCode.OK
    assert f"baseline {EXPECTED:.2f} of {written['made']}: +0.00" in capsys.readouterr().out


@pytest.mark.usefixtures("results")
def test_negative_control_a_drop_beyond_the_tolerance_fails(capsys: Captured) -> None:
    main(["tdg", "--write-baseline"])
    FILES.mutation.write_text(mutation(killed=40))  # 95 -> 90 of 100: 1.25 points
    assert main(["tdg"]) == ExitCode.FAILED
    said = capsys.readouterr()
    assert "mutation fell from 95.00% to 90.00%" in said.out
    assert "tests fell" not in said.out
    assert "dropped by more than 1 points" in said.err
    assert main(["tdg", "--tolerance", "1.3"]) == ExitCode.OK


@pytest.mark.usefixtures("results")
def test_a_better_score_holds_and_does_not_move_the_baseline() -> None:
    main(["tdg", "--write-baseline"])
    before = BASELINE.read_text()
    FILES.mutation.write_text(mutation(killed=50))
    assert main(["tdg"]) == ExitCode.OK
    assert BASELINE.read_text() == before


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    "change",
    [
        {"score": None},
        {"score": 101},
        {"score": float("nan")},
        {"weights": {"tests": 1.0}},
        {"terms": {}},
        {"made": 3},
    ],
    ids=str,
)
def test_negative_control_a_baseline_of_another_score_is_refused(
    change: dict[str, Any], capsys: Captured
) -> None:
    main(["tdg", "--write-baseline"])
    BASELINE.write_text(json.dumps(json.loads(BASELINE.read_text()) | change))
    assert main(["tdg"]) == ExitCode.USAGE
    assert "try: modelqa tdg --write-baseline" in capsys.readouterr().err


@pytest.mark.usefixtures("results")
def test_paths_can_be_given(tmp_path: Path, capsys: Captured) -> None:
    other = tmp_path / "other.xml"
    other.write_text(junit("fail"))
    assert main(["tdg", "--junit", str(other)]) == ExitCode.OK
    assert "0 of 1 passed, 1 failed" in capsys.readouterr().out


@pytest.mark.usefixtures("results")
def test_run_leaves_results_that_are_here_as_they_are() -> None:
    before = {file: file.stat().st_mtime_ns for file in Path(".modelqa").rglob("*")}
    make_missing(FILES)
    assert {file: file.stat().st_mtime_ns for file in Path(".modelqa").rglob("*")} == before


@pytest.mark.usefixtures("results")
def test_negative_control_a_run_that_cannot_be_made_is_no_result(capsys: Captured) -> None:
    FILES.tests.unlink()
    Path("pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = ['--no-such-option']\n")
    assert main(["tdg", "--run"]) == ExitCode.NOTHING_RAN
    assert "ended with code 4, so its result is not here" in capsys.readouterr().err


def test_a_speed_of_red_tiers_names_the_tier(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(speed(1.0, 1.0, 1.0, code=1))
    with pytest.raises(UsageError, match=r"tier 1 was not green \(9 passed\)"):
        tdg_results.speed_term(tmp_path / "t.json")


UNFIT = {
    "was not measured": mutation().replace('"name": "second"', '"name": "third"'),
    "was left unfinished: 49 of 50 mutants were tested": mutation(tested=49),
    "was measured with gone.py, which is gone": mutation(tests={"gone.py": "0" * 64}),
    "was measured with another one.py": mutation(files={"one.py": "0" * 64}),
    "was measured with another test_both.py": mutation(tests={"test_both.py": "0" * 64}),
    "was measured without one.py": mutation(files={}),
}


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("why", UNFIT)
def test_negative_control_a_mutation_run_of_less_or_other_code_gives_no_score(
    why: str, capsys: Captured
) -> None:
    FILES.mutation.write_text(UNFIT[why])
    assert main(["tdg"]) == ExitCode.NOTHING_RAN
    said = capsys.readouterr()
    name = "second" if why == "was not measured" else "first"
    assert said.out == ""
    assert f'{FILES.mutation}: the area "{name}" {why}' in said.err
    assert f'try: python -m benchmarks.mutation --area "{name}"' in said.err


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("name", SOURCES)
def test_negative_control_what_was_edited_or_deleted_since_is_not_scored(name: str) -> None:
    Path(name).write_text(SOURCES[name] + "# weaker\n")
    assert main(["tdg"]) == ExitCode.NOTHING_RAN
    Path(name).unlink()
    assert main(["tdg"]) == ExitCode.NOTHING_RAN
    Path(name).write_text(SOURCES[name])
    assert main(["tdg"]) == ExitCode.OK


@pytest.mark.usefixtures("results")
def test_negative_control_a_new_file_of_an_area_is_to_be_measured_first(capsys: Captured) -> None:
    Path("one_more.py").write_text("")
    assert main(["tdg"]) == ExitCode.NOTHING_RAN
    assert "was measured without one_more.py" in capsys.readouterr().err


@pytest.mark.usefixtures("results")
def test_negative_control_a_mutation_run_that_failed_is_not_scored(capsys: Captured) -> None:
    """It writes after each area and ends with code 1, as red tests do."""
    made = FILES.mutation.read_text()
    FILES.mutation.unlink()
    Path("benchmarks").mkdir()
    Path("benchmarks", "__init__.py").touch()
    Path("benchmarks", "mutation.py").write_text(
        f"from pathlib import Path\nPath({str(FILES.mutation)!r}).write_text({made!r})\n"
        "raise SystemExit('second: mutmut ended with code 2')\n"
    )
    assert main(["tdg", "--run"]) == ExitCode.NOTHING_RAN
    said = capsys.readouterr()
    assert said.out == ""
    assert "ended with code 1, so its result is not here" in said.err


STOPPED = """
import os, signal, time

def test_one(): pass

def test_two():
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(1)
"""


@pytest.mark.usefixtures("results")
def test_negative_control_a_run_that_was_stopped_leaves_no_result(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tdg, "_COVERED", ("test_both",))
    FILES.tests.unlink()
    Path("test_both.py").write_text(STOPPED)
    assert main(["tdg", "--run"]) == ExitCode.NOTHING_RAN
    assert "ended with code 2, so its result is not here" in capsys.readouterr().err
    assert not FILES.tests.exists()
    assert not FILES.coverage.exists(), "of an earlier run, of other code"


@pytest.mark.usefixtures("results")
def test_negative_control_options_of_the_environment_choose_no_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FILES.tests.unlink()
    monkeypatch.setattr(tdg, "_COVERED", ("test_more",))
    Path("test_more.py").write_text("def test_red(): assert False\ndef test_green(): pass\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k test_green")
    make_missing(FILES)
    assert tdg_results.tests_term(FILES.tests).counted == "2 of 3 passed, 1 failed, 0 skipped"
