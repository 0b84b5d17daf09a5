"""A run of some tiers skips files of the suites by their text: so the text must say the tier."""

from __future__ import annotations

import pytest

from suites.selection import SUITES, TESTS, needless

GRADIENTS = SUITES / "gradients" / "test_gradients.py"
THREADS = SUITES / "training_invariants" / "test_threads.py"


def test_every_test_file_of_the_suites_marks_its_tests_itself() -> None:
    for file in SUITES.rglob("test_*.py"):
        assert "pytest.mark.tier" in file.read_text(encoding="utf-8"), file


def test_no_other_file_of_the_suites_marks_tests() -> None:
    for file in SUITES.rglob("*.py"):
        if not file.name.startswith("test_"):
            assert "pytest.mark.tier" not in file.read_text(encoding="utf-8"), file


@pytest.mark.parametrize("other", ["tier1 and qual", "not tier2", "gateway", "", "tier1 or qual"])
def test_any_other_selection_imports_every_file(other: str) -> None:
    assert not any(needless(file, other) for file in SUITES.rglob("test_*.py"))


def test_only_files_that_say_a_named_tier_are_imported() -> None:
    assert not needless(GRADIENTS, "tier1")
    assert needless(THREADS, "tier1")
    assert not needless(THREADS, "tier1 or tier2")
    assert needless(GRADIENTS, "tier3")


def test_tests_are_chosen_as_the_suites_are_and_folders_by_what_is_in_them() -> None:
    assert not needless(TESTS / "core" / "test_verdict.py", "tier1")
    assert not needless(TESTS / "core", "tier1")
    assert needless(TESTS / "core", "tier3")
    assert needless(TESTS / "runtime", "tier1 or tier2")
    assert not needless(TESTS, "tier1 or tier2 or tier3")


def test_what_is_no_test_is_left_alone() -> None:
    assert not needless(SUITES / "conftest.py", "tier3")
    assert not needless(SUITES.parent / "benchmarks" / "run.py", "tier3")


def test_what_is_long_runs_when_it_is_asked_for_alone(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        (SUITES.parent / "conftest.py").read_text().replace("pytest_plugins", "_")
    )
    pytester.makeini("[pytest]\nmarkers = nightly\n tier3\n tier1")
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.tier3\ndef test_a(): pass\n"
        "@pytest.mark.nightly\ndef test_b(): pass\n"
        "@pytest.mark.tier1\ndef test_c(): pass\n"
        "def test_d(): pass\n"
        "@pytest.mark.tier1\n@pytest.mark.tier3\ndef test_e(): pass\n"
    )
    run = pytester.runpytest("-rs")
    run.assert_outcomes(passed=2, skipped=3)
    run.stdout.fnmatch_lines_random(["*pytest -m tier3*", "*pytest -m nightly*"])
    pytester.runpytest("-m", "tier1 or tier3").assert_outcomes(passed=3, deselected=2)
    pytester.runpytest("-m", "tier1").assert_outcomes(passed=1, deselected=4)
    pytester.runpytest("-m", "nightly").assert_outcomes(passed=1, deselected=4)
