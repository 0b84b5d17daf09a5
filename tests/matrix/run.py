"""The compatibility matrix: `tox run -e matrix`, with `-- --write` also docs/compatibility.md.

Makes one small environment (no engine in it) for the oldest pytest that pyproject.toml allows and
one for the newest, with the wheel of this checkout and every plugin of neighbours.py, and runs
tests/matrix in each. The page is written from what those runs reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.neighbours import DISTRIBUTIONS, NEIGHBOURS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "compatibility.md"

_PAGE = """\
# Compatibility
What was run beside pytest-modelqa, and whether anything changed. Regenerate this page by running it
all again: `tox run -e matrix -- --write`.

A playbook with cases that pass, are falsified, crash, time out and are unavailable is run alone,
then beside each plugin, used as in the table, then beside all at once. Compared with the run alone:
exit code; every case's outcome in the evidence, in `report.json` and in `junit.xml`; each item's
outcome in pytest's own JUnit file; the score; how many answers the engine was asked for. The
plugin's own work must show as well: a report that names every case, a shuffled order, two workers.

Python {python}, {system}, no engine installed but the scripted one. `same` is no difference;
`DOES NOT RUN`: not even alone.

| beside | version | used as | {heads} |
| --- | --- | --- | {dashes} |
{rows}

What follows has a test that passed in both:
{claims}
"""

_CLAIMS = {
    "[pytest-rerunfailures]": """\
- pytest-rerunfailures: a rerun repeats the verdict and asks the engine nothing, so a flaky model
  cannot be rerun into a pass.""",
    "test_a_deadline_of_pytest_timeout_shorter_than_a_batch_costs_no_verdict": """\
- pytest-timeout: the first case of a batch waits for all of it, so its clock is not applied to
  cases; each request has a deadline of its own, `limits` in the playbook.""",
    "test_a_gateway_blocks_the_same_cases_in_the_report_however_items_are_shuffled": """\
- pytest-randomly: a gateway blocks the same cases in the report, whatever the order of items.""",
    "test_under_xdist_one_process_judges_all_cases_of_a_cell": """\
- pytest-xdist: a cell stays on one worker, so `-n` pays with several artifacts or backends.""",
    "test_the_comparison_sees_a_plugin_that[turns a failure into a pass]": """\
- A planted plugin that turns a failure into a pass is noticed by the comparison.""",
    "test_the_comparison_sees_a_plugin_that[drops a case]": """\
- A planted plugin that drops a case is noticed by the comparison.""",
}
"""What the page says only where the test, by the end of its name, passed in every environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One environment's run: versions by distribution, and by test what became of it."""

    versions: dict[str, str]
    words: dict[str, str]
    exit_code: int


def main() -> int:
    """Run both environments; the exit code is 1 when either has a difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--work", type=Path, required=True, help="folder for the environments")
    parser.add_argument("--write", action="store_true", help="write docs/compatibility.md")
    given = parser.parse_args()
    ran = [
        _run(given.work / name, requirement)
        for name, requirement in (("oldest", f"pytest=={oldest()}"), ("newest", "pytest"))
    ]
    if given.write:
        PAGE.write_text(page(ran), encoding="utf-8")
    return int(any(r.exit_code for r in ran))


def oldest() -> str:
    """The lower bound of pytest in pyproject.toml: what is promised is what is run."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = [re.fullmatch(r"pytest>=([\d.]+)", d) for d in project["dependencies"]]
    [bound] = [b[1] for b in bounds if b]
    return str(bound)


def page(ran: list[Ran]) -> str:
    """The page, from what was reported."""
    heads = [f"pytest {r.versions['pytest']}" for r in ran]
    rows = [
        (n.name, ran[-1].versions[n.distribution], " ".join(n.args), f"[{n.name}]")
        for n in NEIGHBOURS
    ]
    rows.append(("all of them", "", "", "beside_all_of_them"))
    lines = [
        f"| {name} | {version} | {f'`{used}`' if used else ''} | "
        + " | ".join(_word(r, test) for r in ran)
        + " |"
        for name, version, used, test in rows
    ]
    return _PAGE.format(
        python=platform.python_version(),
        system=platform.system(),
        heads=" | ".join(heads),
        dashes=" | ".join("---" for _ in heads),
        rows="\n".join(lines),
        claims="\n".join(
            text for test, text in _CLAIMS.items() if all(_word(r, test) == "same" for r in ran)
        )
        or "nothing.",
    )


def _word(ran: Ran, test: str) -> str:
    """What became of a test, by the end of its name."""
    return next((word for name, word in ran.words.items() if name.endswith(test)), "not run")


def _outcome(case: ET.Element) -> str:
    """A test whose run alone already broke says nothing of a difference; a skip is no pass."""
    words = {"error": "DOES NOT RUN", "failure": "DIFFERS", "skipped": "not run"}
    return next((word for tag, word in words.items() if case.find(tag) is not None), "same")


def _run(folder: Path, requirement: str) -> Ran:
    python = folder / "bin" / "python"
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    install = ["pip", "install", "--quiet", "--python", str(python), "--upgrade"]
    _uv(*install, "--reinstall-package=pytest-modelqa", str(ROOT), requirement, *DISTRIBUTIONS)
    listed = _uv("pip", "list", "--quiet", "--format=json", "--python", str(python))
    junit = folder / "matrix.xml"
    command = [str(folder / "bin" / "pytest"), "-pmodelqa", "tests/matrix", f"--junitxml={junit}"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )
    return Ran(
        versions={p["name"]: p["version"] for p in json.loads(listed)},
        words={str(c.get("name")): _outcome(c) for c in ET.parse(junit).iter("testcase")},
        exit_code=done.returncode,
    )


def _uv(*args: str) -> str:
    done = subprocess.run(["uv", *args], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
