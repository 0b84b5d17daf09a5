"""Generated families as items: subtests of one, or one each; the verdicts are the same."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_modelqa.cli import main
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import read
from tests.conftest import ScriptedPlaybook, scenario
from tests.plugin.conftest import Run

FAMILIES = "scenarios_generated: {families: [arithmetic, edge], count: 12}"
QUANTIZATIONS = ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "f16", "f32", "q6_k", "q4_k_m")

COLLECTED = """\
import pathlib, sys, pytest
code = pytest.main(sys.argv[1:])
print(pathlib.Path("/proc/self/status").read_text(), file=sys.stderr)  # rusage counts the parent's
sys.exit(code)
"""

LARGE = """\
version: "1.0"
model:
  id: test/large
  artifacts:
{artifacts}
test_matrix: {{modalities: [run, chat], backends: [cpu], formats: [gguf]}}
scenarios_generated: {{count: 1000, modalities: [run, chat]}}
"""


@pytest.fixture
def book(scripted: ScriptedPlaybook) -> Path:
    """Its model answers every sum with 7, and everything else soundly."""
    return scripted(extra=FAMILIES, text="The answer is 7, and Paris is a city on the Seine.")


def outcomes(folder: Path) -> dict[str, Outcome]:
    (record,) = records(read([folder]))
    return {r.case.id: r.verdict.outcome for r in record.results}


def test_examples_are_subtests_or_items_with_the_same_verdicts(
    qualify: Run, book: Path, tmp_path: Path
) -> None:
    together = qualify(book, "-v", "--modelqa-report", str(tmp_path / "one"))
    apart = qualify(book, "--modelqa-report", str(tmp_path / "two"), "--modelqa-explode")
    assert outcomes(tmp_path / "one") == outcomes(tmp_path / "two")
    counts = together.parseoutcomes()
    assert counts["failed"] == 6 + 1, "each sum, and the family that they are of"
    together.stdout.fnmatch_lines(["*, 6 subtests passed in *"])
    exploded = apart.parseoutcomes()
    assert exploded["failed"] == 6
    assert exploded["passed"] == counts["passed"] - 1 + 6, "six items instead of the edge family"
    apart.stdout.fnmatch_lines(["FAILED*::generated-arithmetic[[]003[]]*"])


def test_one_exploded_example_can_be_selected(qualify: Run, book: Path) -> None:
    result = qualify(book, "--modelqa-explode", "-k", "arithmetic and 003")
    result.assert_outcomes(failed=1, deselected=18)


def test_the_reported_command_replays_the_smallest_failing_example(
    qualify: Run, book: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line under `try:` is run as it stands; a sum that is 7 is the healthy neighbour."""
    qualify(book, "--modelqa-report", str(tmp_path / "one"))
    (record,) = records(read([tmp_path / "one"]))
    (fallen,) = [r for r in record.results if r.case.name == "generated-arithmetic"]
    assert "What is 0 + 0?" in fallen.verdict.reason
    command = shlex.split(fallen.verdict.remedy)
    assert command[:2] == ["modelqa", "replay"]
    capsys.readouterr()
    assert main([command[1], str(book), *command[3:]]) == 1
    assert "verdict: falsified" in capsys.readouterr().out
    sound = re.sub(r'"a":\d+', '"a":7', command[-1])
    assert sound != command[-1]
    assert main([command[1], str(book), *command[3:-1], sound]) == 0
    assert "verdict: corroborated" in capsys.readouterr().out


def test_a_replayed_example_that_fits_nothing_is_a_usage_error(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for cell, example in (("gguf-f32-cpu-chat", "{}"), ("no-cell", '{"family": "edge"}')):
        assert main(["replay", str(book), cell, "--example", example]) == 4
        assert "try:" in capsys.readouterr().err


def test_a_batch_gate_stands_beside_batched_families(qualify: Run, book: Path) -> None:
    qualify(book, "-v").stdout.fnmatch_lines(["*::batching PASSED*"])


def test_explicit_scenarios_can_be_batched(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    book = scripted(*(scenario(f"s{i}", f"City {i}?", mode="fast") for i in range(20)))
    qualify(book, "--modelqa-report", str(tmp_path / "out"))
    modes = {
        line["engine"]["settings"]["mode"]
        for line in read([tmp_path / "out"])
        if line["type"] == "answer" and "City" in str(line["request"])
    }
    assert modes == {"fast", "exact"}, "asked in a batch, and a sample of it again by the gate"


def test_a_plan_of_1_8_million_scenarios_is_collected_in_a_gigabyte(tmp_path: Path) -> None:
    """100 models x 18 cells x 1,000 scenarios; benchmarks/overhead.py measures the seconds."""
    options = []
    for number in range(100):
        artifacts = "".join(
            f'    - {{format: gguf, quantization: {q}, source: "file:m{number}-{q}.gguf"}}\n'
            for q in QUANTIZATIONS
        )
        path = tmp_path / f"m{number}.yaml"
        path.write_text(LARGE.format(artifacts=artifacts))
        options += ["--playbook", str(path)]
    select = ["--collect-only", "-q", "-k", "chat and arithmetic"]
    run = subprocess.run(
        [sys.executable, "-c", COLLECTED, "-p", "no:cacheprovider", *select, *options],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "900/18000 tests collected" in run.stdout
    largest = re.search(r"^VmHWM:\s+(\d+) kB$", run.stderr, re.MULTILINE)
    assert largest
    assert int(largest[1]) < 1 << 20
