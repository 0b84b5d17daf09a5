"""Beside the plugins that teams have, nothing breaks and every verdict stays what it was."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.conftest import PLAYBOOK, SOUND, scenario
from tests.matrix.neighbours import DISTRIBUTIONS, NEIGHBOURS, Neighbour, without
from tests.matrix.runs import Run, differences, qualify


def _installed(distribution: str) -> bool:
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


_MISSING = [d for d in DISTRIBUTIONS if not _installed(d)]

pytestmark = pytest.mark.skipif(
    bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}; run: tox run -e matrix"
)

_TEAM = "def test_of_the_team() -> None:\n    assert True\n"
_TIMED = "def test_sum_is_quick(benchmark):\n    assert benchmark(sum, [1, 2]) == 3\n"
_INI = "[pytest]\naddopts = --strict-markers\nfilterwarnings = error:::pytest_modelqa\n"

_MEDDLER = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and item.name == "moon":
        report.outcome, report.longrepr = "passed", None
    return report
"""
_DESELECTOR = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if item.name != "moon"]
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run with none of the others loaded: passes, and every way not to pass."""
    run = qualify(_project(tmp_path_factory.mktemp("plain")), *without())
    outcomes = {outcome for (outcome,) in run.report.values()}
    assert outcomes == {"corroborated", "falsified", "crashed", "timeout", "unavailable"}
    return run


def _project(folder: Path, *, more_rules: tuple[dict[str, str], ...] = ()) -> Path:
    """A team's folder: tests of its own, and a playbook of four cells, two of them unavailable."""
    scenarios = (
        scenario("good", "Which city?"),
        scenario("moon", "Where?", expected="Moon"),
        scenario("crash", "boom"),
        scenario("stuck", "wait"),
        scenario("after", "And which city now?"),
    )
    rules = [{"match": "boom", "do": "segfault"}, {"match": "wait", "do": "hang"}, *more_rules]
    (folder / "script.json").write_text(json.dumps({"text": SOUND, "rules": rules}))
    book = (
        PLAYBOOK.format(scenarios="\n".join(scenarios), extra="")
        .replace("request_timeout_s: 5", "request_timeout_s: 2")
        .replace("modalities: [chat]", "modalities: [chat, run]")
        .replace("formats: [gguf]", "formats: [gguf, apr]")
        .replace("quantizations: [f32]", "quantizations: {gguf: [f32], apr: [f32]}")
    )
    (folder / "book.yaml").write_text(book)
    (folder / "test_team.py").write_text(_TEAM)
    (folder / "test_timed.py").write_text(_TIMED)
    (folder / "pytest.ini").write_text(_INI)
    return folder


def _differences(plain: Run, beside: Run) -> list[str]:
    """As `differences`, but for the benchmark that only its plugin can run."""
    return [line for line in differences(plain, beside) if " test_timed::" not in line]


@pytest.mark.parametrize("neighbour", NEIGHBOURS, ids=lambda n: n.name)
def test_verdicts_stay_the_same_beside(plain: Run, tmp_path: Path, neighbour: Neighbour) -> None:
    run = qualify(_project(tmp_path), *without(neighbour), *neighbour.args)
    assert _differences(plain, run) == []
    assert neighbour.works(run), run.text
    assert not neighbour.works(plain)


def test_verdicts_stay_the_same_beside_all_of_them(plain: Run, tmp_path: Path) -> None:
    seedless = [n for n in NEIGHBOURS if not n.name.endswith("seed 2")]
    run = qualify(_project(tmp_path), *(arg for n in seedless for arg in n.args))
    assert _differences(plain, run) == []
    assert [n.name for n in seedless if n.distribution not in _UNORDERED and not n.works(run)] == []


_UNORDERED = ("pytest-randomly",)
"""Under xdist items are reported as workers finish them, so their order says nothing."""


def test_a_deadline_of_pytest_timeout_shorter_than_a_batch_costs_no_verdict(
    plain: Run, tmp_path: Path
) -> None:
    """The first case of a batch waits for all of them, and each request has a deadline of ours."""
    timeout = next(n for n in NEIGHBOURS if n.name == "pytest-timeout")
    run = qualify(_project(tmp_path), *without(timeout), "--timeout=1")
    assert differences(plain, run) == []
    assert "timeout: 1.0s" in run.text


def test_a_gateway_blocks_the_same_cases_in_the_report_however_items_are_shuffled(
    tmp_path: Path,
) -> None:
    broken = ({"match": "capital of France", "do": "nan"},)
    seeds = [n for n in NEIGHBOURS if n.distribution == "pytest-randomly"]
    ordered = qualify(_project(_new(tmp_path / "0"), more_rules=broken), *without())
    assert ordered.report["gguf-f32-cpu-chat::G2"] == ("falsified",)
    assert ordered.report["gguf-f32-cpu-run::good"] == ("unavailable",)
    for seed in seeds:
        project = _project(_new(tmp_path / seed.name), more_rules=broken)
        run = qualify(project, *without(seed), *seed.args)
        assert (run.report, run.junit, run.score) == (ordered.report, ordered.junit, ordered.score)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_under_xdist_one_process_judges_all_cases_of_a_cell(tmp_path: Path) -> None:
    xdist = next(n for n in NEIGHBOURS if n.name == "pytest-xdist")
    run = qualify(_project(tmp_path), *without(xdist), *xdist.args)
    assert run.divided_cells == set()


@pytest.mark.parametrize(
    ("conftest", "seen_in"),
    [(_MEDDLER, "items book.yaml"), (_DESELECTOR, "report gguf-f32-cpu-chat::moon")],
    ids=["turns a failure into a pass", "drops a case"],
)
def test_the_comparison_sees_a_plugin_that(
    plain: Run, tmp_path: Path, conftest: str, seen_in: str
) -> None:
    project = _project(tmp_path)
    (project / "conftest.py").write_text(conftest)
    found = differences(plain, qualify(project, *without()))
    assert any(line.startswith(seen_in) for line in found), found


def test_the_comparison_is_silent_on_a_second_plain_run(plain: Run, tmp_path: Path) -> None:
    assert differences(plain, qualify(_project(tmp_path), *without())) == []
