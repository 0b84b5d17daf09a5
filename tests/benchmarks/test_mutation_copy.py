"""The copy that mutants are planted into: outcomes stand while files and tests are the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import mutation
from benchmarks.mutation import AREAS, Area, main, measured
from pytest_modelqa.cli.tdg_results import mutation_term
from pytest_modelqa.core.errors import Unavailable

REPOSITORY = Path(__file__).parents[2]
AREA = Area(
    name="tiny thing",
    files=("training/*.py",),
    tests=("tests/tiny",),
    helpers=("tests/numbers_of_mine.py",),
)
FILES = {
    "training/__init__.py": "",
    "training/tiny.py": "def twice(a):\n    return 2 * a\n\n\ndef less(a):\n    return a - 1\n",
    "tests/conftest.py": "",
    "tests/numbers_of_mine.py": "THREE = 3\n",
    "tests/other/test_other.py": "def test_other():\n    pass\n",
    "tests/tiny/test_twice.py": (
        "from training.tiny import twice\n\n\ndef test_twice():\n    assert twice(3) == 6\n"
    ),
    "tests/tiny/test_less.py": (
        "from training.tiny import less\n\n\ndef test_less():\n    assert less(3) == 2\n"
    ),
}
TESTS = {name for name in FILES if name.startswith("tests/") and "other" not in name}
OUTCOMES = {"killed": 1, "hung": 36, "crashed": -11, "survived": 0, "no test": 33, "stopped": 2}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree in the place of ours, with a copy to be made of it."""
    root = tmp_path / "tree"
    for name, text in FILES.items():
        write(root / name, text)
    monkeypatch.setattr(mutation, "ROOT", root)
    monkeypatch.setattr(mutation, "WORK", tmp_path / "work")
    monkeypatch.setattr(mutation, "PAGE", tmp_path / "page.md")
    return root


@pytest.fixture
def copy(tree: Path, tmp_path: Path) -> Path:
    """The copy as a run of mutmut leaves it, with one outcome of each kind."""
    folder = tmp_path / "work" / "tiny-thing"
    mutation._copy(folder)
    mutation._forget(AREA, folder)
    for name, text in FILES.items():
        write(folder / "mutants" / name, text)
    for name in ("training/__init__.py", "training/tiny.py"):
        write(folder / "mutants" / f"{name}.spans", "{}")
        write(folder / "mutants" / f"{name}.meta", json.dumps({"exit_code_by_key": OUTCOMES}))
    return folder


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def again(copy: Path, area: Area = AREA) -> dict[str, Any] | None:
    """The outcomes that the next run begins with; None where there are none at all."""
    mutation._copy(copy)
    mutation._forget(area, copy)
    meta = copy / "mutants" / "training" / "tiny.py.meta"
    if not meta.exists():
        return None
    found: dict[str, Any] = json.loads(meta.read_text())["exit_code_by_key"]
    return found


def test_what_was_found_stands_and_all_else_is_tested_again(copy: Path) -> None:
    assert again(copy) == OUTCOMES | {"survived": None, "no test": None, "stopped": None}


@pytest.mark.parametrize("name", sorted(TESTS))
def test_negative_control_no_outcome_outlives_a_change_of_what_finds_it(
    copy: Path, tree: Path, name: str
) -> None:
    write(tree / name, FILES[name] + "# weaker\n")
    assert again(copy) is None


@pytest.mark.parametrize("name", sorted(TESTS))
def test_negative_control_no_outcome_outlives_what_found_it(
    copy: Path, tree: Path, name: str
) -> None:
    (tree / name).unlink()
    assert again(copy) is None
    assert not (copy / name).exists()


@pytest.mark.parametrize("name", ["tests/tiny/conftest.py", "tests/tiny/test_new.py"])
def test_a_new_test_has_every_mutant_tested_again(copy: Path, tree: Path, name: str) -> None:
    write(tree / name, "")
    assert again(copy) is None


def test_other_files_of_an_area_have_every_mutant_tested_again(copy: Path) -> None:
    """mutmut takes a file that it copied unchanged for one whose mutants were made."""
    assert again(copy, replace(AREA, files=("training/tiny.py",))) is None


@pytest.mark.parametrize("name", ["tests/other/test_other.py", "tests/other/test_new.py"])
def test_tests_of_others_leave_outcomes_alone(copy: Path, tree: Path, name: str) -> None:
    write(tree / name, "def test_changed():\n    pass\n")
    assert again(copy) is not None


def test_negative_control_a_deleted_file_has_no_mutants_left(copy: Path, tree: Path) -> None:
    (tree / "training" / "tiny.py").unlink()
    assert again(copy) is None
    assert [file for file, _ in mutation._metas(AREA, copy)] == ["training/__init__.py"]
    assert not list(copy.rglob("tiny.py*"))
    assert (copy / "mutants" / "training" / "__init__.py").exists()


def test_negative_control_a_deleted_test_of_others_leaves_both_copies(
    copy: Path, tree: Path
) -> None:
    (tree / "tests" / "other" / "test_other.py").unlink()
    assert again(copy) is not None
    assert not list(copy.rglob("test_other.py"))


def test_files_that_are_the_same_keep_their_time(copy: Path, tree: Path) -> None:
    write(tree / "training" / "tiny.py", FILES["training/tiny.py"] + "# longer\n")
    before = {name: (copy / name).stat().st_mtime_ns for name in FILES}
    mutation._copy(copy)
    changed = {n for n in FILES if (copy / n).stat().st_mtime_ns != before[n]}
    assert changed == {"training/tiny.py"}


def test_negative_control_weaker_tests_find_fewer_mutants(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With mutmut itself: one test asserts nothing any more, the other one is deleted."""
    results = tree / "results.json"
    monkeypatch.chdir(tree)
    monkeypatch.setattr(mutation, "AREAS", (AREA,))
    first = measured(AREA, children=1)
    mutation._keep(first, results)
    assert first["killed"] == first["tested"] == first["mutants"] > 0
    assert first["files"] == sha256("training/__init__.py", "training/tiny.py")
    assert first["tests"] == sha256(*TESTS)
    assert mutation_term(results).value == 1.0

    weaker = FILES["tests/tiny/test_twice.py"].replace(" == 6", "")
    write(tree / "tests" / "tiny" / "test_twice.py", weaker)
    (tree / "tests" / "tiny" / "test_less.py").unlink()
    with pytest.raises(Unavailable, match=r"was measured with tests/tiny/test_less\.py"):
        mutation_term(results)
    second = measured(AREA, children=1)
    mutation._keep(second, results)
    assert (second["killed"], second["mutants"]) == (0, first["mutants"])
    assert {found["status"] for found in second["survivors"]} == {"survived", "no tests"}
    assert mutation_term(results).value == 0.0


def sha256(*names: str) -> dict[str, str]:
    return {name: hashlib.sha256(FILES[name].encode()).hexdigest() for name in names}


def run_of(monkeypatch: pytest.MonkeyPatch, **outcome: int) -> None:
    """Let every area be measured with this outcome, at once."""
    found = {"files": {}, "tests": {}, "made": "2026-01-02", "survivors": []}
    counts = {"mutants": 10, "tested": 10, "killed": 10}
    monkeypatch.setattr(
        mutation, "measured", lambda area, _: {"name": area.name, **found, **counts, **outcome}
    )


@pytest.mark.usefixtures("tree")
def test_results_name_every_area_that_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_of(monkeypatch)
    file = tmp_path / "results.json"
    assert main(["--results", str(file), "--area", "scoring"]) == 0
    body = json.loads(file.read_text())
    assert [area["name"] for area in body["areas"]] == ["scoring"]
    assert body["expected"] == {area.name: list(area.files) for area in AREAS}
    rest = ", ".join(area.name for area in AREAS if area.name != "scoring")
    assert f"\nNot measured: {rest}.\n" in mutation.PAGE.read_text()
    assert main(["--results", str(file)]) == 0
    assert len(json.loads(file.read_text())["areas"]) == len(AREAS)
    assert "Not measured" not in mutation.PAGE.read_text()


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize("tested", [0, 9])
def test_negative_control_mutants_that_were_not_tested_are_no_success(
    tested: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_of(monkeypatch, tested=tested, killed=0)
    file = tmp_path / "results.json"
    with pytest.raises(SystemExit, match=rf"scoring: {10 - tested} mutants are not tested"):
        main(["--results", str(file)])
    assert [area["name"] for area in json.loads(file.read_text())["areas"]] == ["scoring"]


IMPORT = re.compile(r"^\s*from (tests(?:\.\w+)*) import ([^#\n]+)", re.MULTILINE)


def imported(file: Path, seen: set[Path]) -> Iterator[Path]:
    """The modules of `tests` that a test imports, and those that they import."""
    for package, names in IMPORT.findall(file.read_text(encoding="utf-8")):
        dotted = (package, *(f"{package}.{name}" for name in re.findall(r"\w+", names)))
        for module in dotted:
            path = REPOSITORY.joinpath(*module.split(".")).with_suffix(".py")
            if path.is_file() and path not in seen:
                seen.add(path)
                yield path
                yield from imported(path, seen)


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
def test_every_module_that_an_areas_tests_import_is_hashed_with_them(area: Area) -> None:
    known = {REPOSITORY / name for name in mutation._tests_of(area, REPOSITORY)}
    needed = {path for test in known for path in imported(test, set())}
    assert needed <= known
    assert REPOSITORY / "conftest.py" in known
    assert REPOSITORY / "tests" / "conftest.py" in known
