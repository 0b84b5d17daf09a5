"""Code mutation: how many small changes of our own code its tests find.

    python -m benchmarks.mutation                    every area, then docs/mutation_run.md
    python -m benchmarks.mutation --area scoring     one area, the others as they were

mutmut plants each change into a copy of the tree (`.modelqa/mutation`) and runs the area's own
tests on it, in a forked process. The copy stays: a second run tests only functions that changed,
and an interrupted one goes on. Results go to `.modelqa/mutation.json`, which `modelqa tdg` reads.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
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
UNFOUND = (0, 33)
"""mutmut's exit codes of mutants that every test passed, or that no test runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Files that are mutated together, and the tests that must find it."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]


AREAS = (
    Area(
        name="scoring",
        files=("pytest_modelqa/decision/score.py", "pytest_modelqa/decision/ship.py"),
        tests=("tests/decision",),
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
            tests=("tests/artifacts/test_readings.py",),
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
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the areas asked for, write the results and the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--area", action="append", choices=[a.name for a in AREAS])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--children", type=int, default=2, help="mutants tested at a time")
    given = parser.parse_args(argv)
    for area in AREAS:
        if not given.area or area.name in given.area:
            _keep(measured(area, given.children), given.results)
    return 0


def _keep(found: dict[str, Any], file: Path) -> None:
    """Put an area's outcomes beside the others', and write the page."""
    results = {**_earlier(file), found["name"]: found}
    body = {
        "schema_version": "1.0",
        "tool": f"mutmut {version('mutmut')}",
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
    _forget_survivors(area, folder)
    mutmut = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children)]
    done = subprocess.run(mutmut, cwd=folder, check=False)
    if done.returncode:
        raise SystemExit(f"{area.name}: mutmut ended with code {done.returncode}, in {folder}")
    return outcomes(area, folder)


def _copy(folder: Path) -> None:
    """Bring the copy up to date; files that are the same keep their time, so mutants stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TREE:
        source = ROOT / name
        for file in [source] if source.is_file() else sorted(source.rglob("*")):
            target = folder / file.relative_to(ROOT)
            if file.is_dir() or "__pycache__" in file.parts:
                continue
            if not target.exists() or target.read_bytes() != file.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


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
        "files": sorted(files),
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


def _forget_survivors(area: Area, folder: Path) -> None:
    """Tests may have come since: what was not found is tested again, what was found is not."""
    for _, meta in _metas(area, folder):
        body = json.loads(meta.read_text())
        codes = body["exit_code_by_key"]
        body["exit_code_by_key"] = {n: None if c in UNFOUND else c for n, c in codes.items()}
        meta.write_text(json.dumps(body, indent=4))


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
