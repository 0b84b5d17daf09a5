"""The four results that a score is computed from, read from the files that real runs left.

A file that is not here, or does not say what it should, is an error that names the command which
makes it. There is no default for any term.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pytest_modelqa.cli import tiers
from pytest_modelqa.core.errors import ModelQAError, Unavailable, UsageError
from pytest_modelqa.stats.tdg import Term, share, speed_factor

FOLDER = Path(".modelqa", "tdg")
RUN = "modelqa tdg --run"


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
        "mutation": _read(files.mutation, mutation_term, "python -m benchmarks.mutation"),
        "speed": _read(files.speed, speed_term, "modelqa tiers"),
    }


def _read(file: Path, read: Callable[[Path], Term], remedy: str) -> Term:
    if not file.is_file():
        raise Unavailable(
            "no such result, and without it there is no score", where=str(file), remedy=remedy
        )
    try:
        return read(file)
    except ModelQAError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, ElementTree.ParseError) as error:
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
    """The share of mutants that a test found, over all areas of the mutation run."""
    body: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    areas = body["areas"]
    killed = sum(int(area["killed"]) for area in areas)
    mutants = sum(int(area["mutants"]) for area in areas)
    return Term(
        name="mutation",
        value=share(killed, mutants),
        counted=f"{killed:,} of {mutants:,} mutants were found",
        source=str(file),
    )


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
