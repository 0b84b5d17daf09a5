"""Code mutation: how many small changes of our own code its tests find.

    python -m benchmarks.mutation                    every area, then docs/mutation_run.md
    python -m benchmarks.mutation --area scoring     one area, the others as they were

mutmut plants each change into a copy of the tree (`.modelqa/mutation`) and runs the area's own
tests on it, in a forked process. The copy stays: a second run tests functions that changed and what
was not found, and an interrupted one goes on. Where a test of the area changed, all is tested
again. Results go to `.modelqa/mutation.json`, which `modelqa tdg` reads: they name the areas that
must be there, and of each the files and tests that it was measured with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.mutation_page import page

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".modelqa" / "mutation"
RESULTS = ROOT / ".modelqa" / "mutation.json"
PAGE = ROOT / "docs" / "mutation_run.md"
TREE = (
    "pytest_modelqa", "training", "suites", "tests", "benchmarks", "docs", "playbooks",
    "conftest.py", "pyproject.toml", "README.md", "models.lock.json", "CHANGELOG.md",
)  # fmt: skip
FOUND = ("killed", "timeout", "segfault")
"""What counts as found: a red test, a hang that was stopped, a crash."""
UNTESTED = ("not checked", "check was interrupted by user")
SCHEMA_VERSION = "2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Files that are mutated together, and the tests that must find it.

    `helpers` are the modules of `tests` that those tests import.
    """

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    helpers: tuple[str, ...] = ()


AREAS = (
    Area(
        name="scoring",
        files=("pytest_modelqa/decision/score.py", "pytest_modelqa/decision/ship.py"),
        tests=("tests/decision",),
        helpers=("tests/reports/records.py", "tests/reports/shipping_records.py"),
    ),
    Area(
        name="statistics",
        files=("pytest_modelqa/stats/*.py",),
        tests=("tests/test_stats.py", "tests/stats"),
    ),
    *(
        Area(
            name=f"reader of {name}",
            files=tuple(f"pytest_modelqa/artifacts/{file}.py" for file in files),
            tests=("tests/artifacts/test_readings*.py",),
            helpers=tuple(
                f"tests/artifacts/{helper}.py"
                for helper in ("corrupt", "made", "readings", "test_gguf", "test_safetensors")
            ),
        )
        for name, files in (
            ("apr", ("apr", "json_objects")),
            ("safetensors", ("safetensors",)),
            ("gguf", ("gguf",)),
        )
    ),
    Area(
        name="planner",
        files=tuple(
            f"training/memory/{name}.py"
            for name in (
                "activations",
                "approach",
                "architecture",
                "fit",
                "models",
                "plan",
                "quantised",
                "sizes",
            )
        ),
        tests=("tests/training/test_memory_edges.py",),
        helpers=("tests/training/memory_plans.py", "tests/training/runs.py"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the areas asked for, write the results and the page.

    Raises SystemExit where an area could not be measured, or not to its end.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--area", action="append", choices=[a.name for a in AREAS])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--children", type=int, default=2, help="mutants tested at a time")
    given = parser.parse_args(argv)
    for area in AREAS:
        if not given.area or area.name in given.area:
            found = measured(area, given.children)
            _keep(found, given.results)
            if left := found["mutants"] - found["tested"]:
                raise SystemExit(f"{area.name}: {left} mutants are not tested; run it again")
    return 0


def _keep(found: dict[str, Any], file: Path) -> None:
    """Put an area's outcomes beside the others', and write the page."""
    results = {**_earlier(file), found["name"]: found}
    body = {
        "schema_version": SCHEMA_VERSION,
        "tool": f"mutmut {version('mutmut')}",
        "expected": {a.name: a.files for a in AREAS},
        "areas": [results[a.name] for a in AREAS if a.name in results],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(body), encoding="utf-8")
    print(f"wrote {file} and {PAGE}")


def _earlier(file: Path) -> dict[str, dict[str, Any]]:
    if not file.exists():
        return {}
    return {area["name"]: area for area in json.loads(file.read_text(encoding="utf-8"))["areas"]}


def measured(area: Area, children: int) -> dict[str, Any]:
    """Mutate the files of an area and test every mutant; what became of each."""
    folder = WORK / area.name.replace(" ", "-")
    _copy(folder)
    (folder / "setup.cfg").write_text(_settings(area, folder), encoding="utf-8")
    _forget(area, folder)
    mutmut = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children)]
    done = subprocess.run(mutmut, cwd=folder, check=False)
    if done.returncode:
        raise SystemExit(f"{area.name}: mutmut ended with code {done.returncode}, in {folder}")
    return outcomes(area, folder)


def _copy(folder: Path) -> None:
    """Bring the copy up to date; files that are the same keep their time, so mutants stay.

    What is gone from the tree goes from the copy, and from mutmut's own copy of that: a deleted
    test would go on finding mutants there, and a deleted module would go on having some.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = _tree(ROOT)
    for place in (folder, folder / "mutants"):
        for name in _tree(place):
            if name.removesuffix(".meta").removesuffix(".spans") not in names:
                (place / name).unlink()
    for name in sorted(names):
        file, target = ROOT / name, folder / name
        if not target.exists() or target.read_bytes() != file.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _tree(root: Path) -> set[str]:
    """The files of TREE under a root, as paths from there; what Python caches is left out."""
    found = (f for name in TREE for f in _files(root / name))
    return {f.relative_to(root).as_posix() for f in found}


def _files(path: Path) -> Iterator[Path]:
    """A file, or all files of a folder; none where there is neither."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file


def _settings(area: Area, folder: Path) -> str:
    tests = [t for pattern in area.tests for t in _matching(folder, pattern)]
    packages = sorted({file.split("/")[0] for file in area.files})
    rest = [name for name in TREE if name not in {*packages, "tests", "pyproject.toml"}]
    lists: Mapping[str, Sequence[str]] = {
        "source_paths": packages,
        "only_mutate": area.files,
        "also_copy": rest,
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ("-p", "no:cacheprovider", "-p", "no:xdist"),
    }
    lines = ["[mutmut]"]
    for key, values in lists.items():
        lines += [f"{key}=", *(f"    {value}" for value in values)]
    return "\n".join(lines) + "\n"


def _matching(folder: Path, pattern: str) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.glob(pattern))


def outcomes(area: Area, folder: Path) -> dict[str, Any]:
    """What became of the mutants of an area, survivors with their change."""
    statuses: dict[str, str] = {}
    files = set()
    for file, codes in _codes(area, folder):
        files.add(file)
        statuses |= codes
    tested = {n: s for n, s in statuses.items() if s not in UNTESTED}
    survivors = sorted(name for name, status in tested.items() if status not in FOUND)
    changes = _changes(survivors, folder)
    return {
        "name": area.name,
        "made": datetime.now(UTC).date().isoformat(),
        "files": _hashes(folder, files),
        "tests": _hashes(folder, _tests_of(area, folder)),
        "mutants": len(statuses),
        "tested": len(tested),
        "killed": len(tested) - len(survivors),
        "survivors": [{"mutant": n, "status": statuses[n], **changes[n]} for n in survivors],
    }


def _codes(area: Area, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Of every mutated file its mutants and their status, as mutmut keeps them."""
    from mutmut.stats import status_by_exit_code  # noqa: PLC0415

    for file, meta in _metas(area, folder):
        codes: Mapping[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
        yield file, {name: status_by_exit_code[code] for name, code in codes.items()}


def _metas(area: Area, folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of an area that mutmut keeps results of, and where."""
    for meta in sorted((folder / "mutants").rglob("*.py.meta")):
        file = meta.relative_to(folder / "mutants").as_posix().removesuffix(".meta")
        if any(fnmatch(file, pattern) for pattern in area.files):
            yield file, meta


def _forget(area: Area, folder: Path) -> None:
    """Remove outcomes that may be others now.

    All of them where the area or its tests are not what they were: a test that was deleted or
    weakened finds less. Else what was not found: code beside the area may have changed since.
    """
    kept = folder / "outcomes_of.json"
    tests = _hashes(folder, _tests_of(area, folder))
    now = json.dumps({"files": area.files, "tests": tests}, indent=1) + "\n"
    mutants = folder / "mutants"
    if not kept.exists() or kept.read_text(encoding="utf-8") != now:
        if mutants.exists():
            shutil.rmtree(mutants)
        kept.write_text(now, encoding="utf-8")
    _forget_survivors(area, folder)


def _forget_survivors(area: Area, folder: Path) -> None:
    from mutmut.stats import status_by_exit_code  # noqa: PLC0415

    for _, meta in _metas(area, folder):
        body = json.loads(meta.read_text())
        codes = body["exit_code_by_key"]
        body["exit_code_by_key"] = {
            name: code if status_by_exit_code[code] in FOUND else None
            for name, code in codes.items()
        }
        meta.write_text(json.dumps(body, indent=4))


def _tests_of(area: Area, folder: Path) -> list[str]:
    """The area's tests and their helpers, and every conftest that pytest reads for them."""
    paths = [p for pattern in (*area.tests, *area.helpers) for p in folder.glob(pattern)]
    found = {file for path in paths for file in _files(path)}
    folders = {up for path in paths for up in path.parents if up.is_relative_to(folder)}
    found |= {up / "conftest.py" for up in folders if (up / "conftest.py").is_file()}
    return sorted(file.relative_to(folder).as_posix() for file in found)


def _hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of each file of the copy: that was measured, whatever the tree holds by now."""
    return {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in sorted(names)}


def _changes(mutants: Sequence[str], folder: Path) -> dict[str, dict[str, str]]:
    """Of each mutant the lines before and after, as mutmut shows them; in one process."""
    if not mutants:
        return {}
    command = [sys.executable, "-c", _SHOW, *mutants]
    shown = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    return {name: _lines(diff) for name, diff in json.loads(shown).items()}


_SHOW = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
print(json.dumps({name: get_diff_for_mutant(name) for name in sys.argv[1:]}))
"""


def _lines(diff: str) -> dict[str, str]:
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before = [line[1:].strip() for line in lines if line.startswith("-")]
    after = [line[1:].strip() for line in lines if line.startswith("+")]
    return {"before": " ".join(before), "after": " ".join(after)}


if __name__ == "__main__":
    raise SystemExit(main())
