"""The four results that a score is computed from, read from the files that real runs left.

A file that is not here, or does not say what it should, is an error that names the command which
makes it. There is no default for any term.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pytest_modelqa.cli import tiers
from pytest_modelqa.core.errors import ModelQAError, Unavailable, UsageError
from pytest_modelqa.stats.tdg import Term, share, speed_factor

FOLDER = Path(".modelqa", "tdg")
RUN = "modelqa tdg --run"
MUTATION = "python -m benchmarks.mutation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where each term's result lies."""

    tests: Path = FOLDER / "junit.xml"
    coverage: Path = FOLDER / "coverage.json"
    mutation: Path = Path(".modelqa", "mutation.json")
    speed: Path = tiers.RESULTS


def terms(files: Files) -> dict[str, Term]:
    """All four terms. Raises Unavailable for a missing result, UsageError for a broken one."""
    return {
        "tests": _read(files.tests, tests_term, f"pytest --junitxml {files.tests}"),
        "coverage": _read(files.coverage, coverage_term, RUN),
        "mutation": _read(files.mutation, mutation_term, MUTATION),
        "speed": _read(files.speed, speed_term, "modelqa tiers"),
    }


_BROKEN = (
    ValueError, KeyError, TypeError, AttributeError, NotImplementedError, ElementTree.ParseError,
)  # fmt: skip
"""What reading says of a file that is no such result; NotImplementedError of an absolute glob."""


def _read(file: Path, read: Callable[[Path], Term], remedy: str) -> Term:
    if not file.is_file():
        raise Unavailable(
            "no such result, and without it there is no score", where=str(file), remedy=remedy
        )
    try:
        return read(file)
    except ModelQAError:
        raise
    except _BROKEN as error:
        raise UsageError(
            f"is no such result: {type(error).__name__}: {error}", where=str(file), remedy=remedy
        ) from error


def tests_term(file: Path) -> Term:
    """The share of all tests of a JUnit file that passed; a skipped one did not.

    Counted from the test cases themselves, and held against the numbers in the suites' heads: a
    file that was cut and mended says less than it did.
    """
    root = ElementTree.parse(file).getroot()  # noqa: S314 - the user's own file
    suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
    cases = [case for suite in suites for case in suite.iter("testcase")]
    said = sum(int(suite.attrib["tests"]) for suite in suites)
    if len(cases) != said:
        raise ValueError(f"{len(cases)} test cases, its head says {said}")
    bad = sum(_has(case, "failure", "error") for case in cases)
    skipped = sum(_has(case, "skipped") and not _has(case, "failure", "error") for case in cases)
    passed = len(cases) - bad - skipped
    return Term(
        name="tests",
        value=share(passed, len(cases)),
        counted=f"{passed} of {len(cases)} passed, {bad} failed, {skipped} skipped",
        source=str(file),
    )


def _has(case: ElementTree.Element, *tags: str) -> bool:
    return any(case.find(tag) is not None for tag in tags)


def coverage_term(file: Path) -> Term:
    """The share of statements and branches that ran, of coverage.py's JSON with branches."""
    body: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    totals = body["totals"]
    ran = totals["covered_lines"] + totals["covered_branches"]
    all_ = totals["num_statements"] + totals["num_branches"]
    return Term(
        name="coverage",
        value=share(ran, all_),
        counted=f"{ran:,} of {all_:,} statements and branches ran",
        source=str(file),
    )


def mutation_term(file: Path) -> Term:
    """The share of mutants that a test found, over all areas of the mutation run.

    Raises Unavailable where an area was not measured, not to its end, or with other files than
    those here (their paths are from the working directory).
    """
    body: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    measured = {area["name"]: area for area in body["areas"]}
    for name, patterns in body["expected"].items():
        if why := _unfit(measured.get(name), patterns):
            raise Unavailable(
                f'the area "{name}" {why}', where=str(file), remedy=f'{MUTATION} --area "{name}"'
            )
    areas = [measured[name] for name in body["expected"]]
    killed = sum(area["killed"] for area in areas)
    mutants = sum(area["mutants"] for area in areas)
    return Term(
        name="mutation",
        value=share(killed, mutants),
        counted=f"{killed:,} of {mutants:,} mutants were found",
        source=str(file),
    )


def _unfit(area: Mapping[str, Any] | None, patterns: Sequence[str]) -> str:
    """Why the outcomes of an area are not those of the code here; empty where they are."""
    if area is None:
        return "was not measured"
    if area["tested"] != area["mutants"]:
        return f"was left unfinished: {area['tested']} of {area['mutants']} mutants were tested"
    share(area["killed"], area["mutants"])
    here = {path.as_posix() for pattern in patterns for path in Path().glob(pattern)}
    if new := sorted(here - area["files"].keys()):
        return f"was measured without {new[0]}"
    return _changed({**area["files"], **area["tests"]})


def _changed(measured: Mapping[str, str]) -> str:
    """The first file that is gone, or has another SHA-256 than when it was measured."""
    for path, sha256 in measured.items():
        if not Path(path).is_file():
            return f"was measured with {path}, which is gone"
        if hashlib.sha256(Path(path).read_bytes()).hexdigest() != sha256:
            return f"was measured with another {path}"
    return ""


def speed_term(file: Path) -> Term:
    """The speed factor of the tiers. Raises UsageError where one was red: it has no time."""
    runs = tiers.kept(file)
    if red := [run for run in runs.values() if not run.green]:
        raise UsageError(
            f"tier {red[0].tier} was not green ({red[0].summary}), so it has no time",
            where=str(file),
            remedy=f"modelqa tiers --tier {red[0].tier}",
        )
    seconds = {tier: run.seconds for tier, run in sorted(runs.items())}
    return Term(
        name="speed",
        value=speed_factor(seconds),
        counted=", ".join(
            f"tier {t}: {s:.1f} of {runs[t].budget_s:g} s" for t, s in seconds.items()
        ),
        source=str(file),
    )
