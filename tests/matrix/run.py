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
Two planted plugins, one that turns a failure into a pass and one that drops a case, are noticed.

Python {python}, {system}, no engine installed but the scripted one. `same` is no difference.

| beside | version | used as | {heads} |
| --- | --- | --- | {dashes} |
{rows}

Good to know:
- pytest-rerunfailures: a rerun repeats the verdict and asks the engine nothing, so a flaky model
  cannot be rerun into a pass.
- pytest-timeout: the first case of a batch waits for all of it, so its clock is not applied to
  cases; each request has a deadline of its own, `limits` in the playbook.
- pytest-randomly: a cell's gateways are judged before its other cases, whatever the order of items.
  Items that ran before a gateway blocked them keep their pass in pytest's output; the report has
  them as blocked, exactly as without shuffling.
- pytest-cov measures the pytest process; the engine's workers run nothing of yours.
- pytest-xdist: cells of one artifact and backend share a worker, so `-n` pays with several of them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One environment's run: versions by distribution, and by test whether it passed."""

    versions: dict[str, str]
    passed: dict[str, bool]
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
    )


def _word(ran: Ran, test: str) -> str:
    """A test that did not run is not a pass."""
    found = [passed for name, passed in ran.passed.items() if name.endswith(test)]
    return ("same" if all(found) else "DIFFERS") if found else "not run"


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
        passed={
            str(case.get("name")): not {e.tag for e in case} & {"failure", "error", "skipped"}
            for case in ET.parse(junit).iter("testcase")
        },
        exit_code=done.returncode,
    )


def _uv(*args: str) -> str:
    done = subprocess.run(["uv", *args], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
