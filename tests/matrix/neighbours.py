"""The plugins that teams have installed beside ours, how they use each, and how its work shows.

Standard library only: `run.py` imports this where nothing is installed.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.matrix.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A plugin in use. `plugins` are its names to pytest's `-p`; `args` what a person types.

    `works` is true of a run in which it did its own work: a plugin that was not even loaded
    must not count as compatible.
    """

    name: str
    distribution: str
    plugins: tuple[str, ...]
    args: tuple[str, ...]
    works: Callable[[Run], bool]


def _names_every_case_in_html(run: Run) -> bool:
    file = run.folder / "report.html"
    text = html.unescape(file.read_text()) if file.exists() else ""
    return all(case_id in text for case_id in run.report)


def _names_every_case_in_allure(run: Run) -> bool:
    """Each case is there under its cell and name, and passed there only where it passed here."""
    results = [json.loads(p.read_text()) for p in Path(run.folder, "allure").glob("*-result.json")]
    passed = {}
    for result in results:
        cell = next((x["value"] for x in result["labels"] if x["name"] == "subSuite"), "")
        passed[f"{cell}::{result['name']}"] = result["status"] == "passed"
    return all(
        passed.get(case_id) is (outcome == ("corroborated",))
        for case_id, outcome in run.report.items()
    )


def _shuffled(run: Run) -> bool:
    """Plans have the gateways of a cell in order; a shuffled run does not keep to it."""
    gateways = [name.rpartition("::")[2] for name in run.order if name.endswith(_GATEWAYS)]
    return gateways != sorted(gateways) and "Using --randomly-seed" in run.text


_GATEWAYS = tuple(f"cpu-chat::G{n}" for n in range(5))

NEIGHBOURS = (
    Neighbour(
        name="pytest-rerunfailures",
        distribution="pytest-rerunfailures",
        plugins=("rerunfailures",),
        args=("--reruns=2",),
        works=lambda run: " rerun" in run.text,
    ),
    Neighbour(
        name="pytest-html",
        distribution="pytest-html",
        plugins=("html", "html_fixtures", "metadata"),
        args=("--html=report.html", "--self-contained-html"),
        works=_names_every_case_in_html,
    ),
    Neighbour(
        name="pytest-timeout",
        distribution="pytest-timeout",
        plugins=("timeout",),
        args=("--timeout=300",),
        works=lambda run: "timeout: 300.0s" in run.text,
    ),
    Neighbour(
        name="pytest-cov",
        distribution="pytest-cov",
        plugins=("pytest_cov",),
        args=("--cov=.",),
        works=lambda run: "test_team.py" in run.text.partition("coverage:")[2],
    ),
    Neighbour(
        name="pytest-benchmark",
        distribution="pytest-benchmark",
        plugins=("benchmark",),
        args=("--benchmark-disable", "test_timed.py"),
        works=lambda run: run.items.get("test_timed::test_sum_is_quick") == ("passed",),
    ),
    Neighbour(
        name="pytest-randomly, seed 1",
        distribution="pytest-randomly",
        plugins=("randomly",),
        args=("-p", "randomly", "--randomly-seed=1"),
        works=_shuffled,
    ),
    Neighbour(
        name="pytest-randomly, seed 2",
        distribution="pytest-randomly",
        plugins=("randomly",),
        args=("-p", "randomly", "--randomly-seed=2"),
        works=_shuffled,
    ),
    Neighbour(
        name="allure-pytest",
        distribution="allure-pytest",
        plugins=("allure_pytest",),
        args=("--alluredir=allure",),
        works=_names_every_case_in_allure,
    ),
    Neighbour(
        name="pytest-xdist",
        distribution="pytest-xdist",
        plugins=("xdist", "xdist.looponfail"),
        args=("-n", "2"),
        works=lambda run: "2 workers" in run.text,
    ),
)

DISTRIBUTIONS = tuple(dict.fromkeys(n.distribution for n in NEIGHBOURS))


def without(*kept: Neighbour) -> list[str]:
    """Arguments that keep every other plugin of the table from being loaded."""
    wanted = {plugin for neighbour in kept for plugin in neighbour.plugins}
    others = (p for n in NEIGHBOURS for p in n.plugins if p not in wanted)
    return [f"-pno:{plugin}" for plugin in dict.fromkeys(others)]
