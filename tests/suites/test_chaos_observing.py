"""The machinery that watches runs under chaos turns red for what it is there to find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.core.result import CaseResult, PlannedCase
from pytest_modelqa.core.verdict import Outcome, Verdict
from suites.chaos.launching import LATER, PROMPTS, ROOT, VICTIM, Bench
from suites.chaos.naming import CLOCK, MARK
from suites.chaos.observing import Seen, Steady, duplicated, marked, steady


def test_negative_what_is_written_twice_is_named() -> None:
    answer: dict[str, Any] = {"type": "answer", "key": "k1"}
    result: dict[str, Any] = {"type": "result", "result": {"case": {"id": "c1"}}}
    assert duplicated([answer, result]) == []
    assert duplicated([answer, {"type": "answer", "key": "k2"}, result]) == []
    assert duplicated([answer, answer, result]) == ["answer k1"]
    assert duplicated([answer, result, result]) == ["result c1"]


def seen(*cases: str) -> Seen:
    """What a run leaves that planned these cases, and in which all passed."""
    verdict = Verdict(outcome=Outcome.CORROBORATED, reason="as it should be", tested=1)
    results = {
        case: CaseResult(
            case=PlannedCase(
                id=case, scope="s", name=case, gate="", category="QUAL", severity="P1", tier=1,
                is_gateway=False,
            ),
            verdict=verdict,
            seconds=0.1,
        )
        for case in cases
    }  # fmt: skip
    return Seen(lines=(), results=results, planned=cases, incidents=(), interrupted=False)


def test_negative_a_plan_that_shrinks_or_grows_is_a_change() -> None:
    """Without victims too: what nobody planned any more has no result that could be missed."""
    whole, shrunk = seen("s::a", "s::b", "s::c"), seen("s::a", "s::c")
    assert steady(shrunk, whole).changed == ("s::b",)
    assert steady(seen(), whole).changed == whole.planned
    assert steady(whole, shrunk).changed == ("s::b",)
    assert steady(shrunk, whole, ["a"]).disturbed == "changed: s::b"
    assert not steady(shrunk, whole, ["b"]).disturbed
    assert not steady(whole, whole).disturbed


@pytest.mark.parametrize("what", ["lost", "duplicated", "changed", "orphans"])
def test_negative_each_disturbance_is_told(what: str) -> None:
    assert Steady(**{what: ("x",)}).disturbed == f"{what}: x"
    assert Steady().disturbed == ""


def test_negative_a_process_with_the_mark_is_seen_until_it_ends() -> None:
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleeping, env={**os.environ, MARK: "m1"}) as process:
        try:
            deadline = time.monotonic() + 30
            while not marked("m1") and time.monotonic() < deadline:
                time.sleep(0.01)
            (left,) = marked("m1")
            assert left.startswith(f"{process.pid} ")
            assert not marked("m2")
        finally:
            process.kill()
    assert not marked("m1")


def test_the_victim_stands_in_the_middle(tmp_path: Path) -> None:
    names = list(PROMPTS)
    assert names.index(VICTIM) > 0
    assert LATER
    assert set(LATER) == set(names[names.index(VICTIM) + 1 :])
    book = Bench(folder=tmp_path).write()
    lines = [x for x in book.read_text().splitlines() if x.startswith("  - ")]
    assert [json.loads(x.removeprefix("  - "))["name"] for x in lines] == names


SAYS = """
import datetime, json, os, time
print(json.dumps([datetime.datetime.now(datetime.UTC).timestamp(),
                  time.time(), time.time_ns() / 1e9,
                  len(os.sched_getaffinity(0)), time.monotonic()]))
"""


def confined(conditions: dict[str, object], script: str, folder: Path, **more: str) -> str:
    """What a script prints that runs under these conditions in pytest's place."""
    (folder / "pytest.py").write_text(script)
    run = subprocess.run(
        [sys.executable, "-m", "suites.chaos.confine", json.dumps(conditions)],
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", **more},
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return run.stdout


def test_the_wall_clock_is_wrong_by_what_the_file_says_and_no_other(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("-86400")
    given = confined({"clock": True, "cores": 1}, SAYS, tmp_path, **{CLOCK: str(clock)})
    now, *also, cores, monotonic = json.loads(given.splitlines()[0])
    assert abs(time.time() - 86_400 - now) < 3600
    assert all(abs(now - other) < 60 for other in also)
    assert cores == 1
    assert 0 <= time.monotonic() - monotonic < 3600


STARTS = """
import os, subprocess, sys
subprocess.run([sys.executable, "-c", os.environ["SAYS"]], check=True)
"""


@pytest.mark.parametrize("wrong_s", [-86_400, 86_400])
def test_negative_a_process_that_a_run_starts_has_its_wrong_clock(
    tmp_path: Path, wrong_s: int
) -> None:
    """Workers are such processes: a deadline of theirs must not be spared the jump."""
    clock = tmp_path / "clock"
    clock.write_text(str(wrong_s))
    given = confined({"clock": True}, STARTS, tmp_path, **{CLOCK: str(clock), "SAYS": SAYS})
    now, *also, _, monotonic = json.loads(given.splitlines()[0])
    assert abs(time.time() + wrong_s - now) < 3600
    assert all(abs(now - other) < 60 for other in also)
    assert 0 <= time.monotonic() - monotonic < 3600


FILLS = """
import errno
from pathlib import Path
file = Path("disk", "file")
for step in range(64):
    try:
        with file.open("ab") as stream:
            stream.write(b"x" * 4096)
    except OSError as error:
        print(errno.errorcode[error.errno], file.stat().st_size)
        break
"""


def test_negative_a_small_disk_is_full_and_its_content_is_kept(tmp_path: Path) -> None:
    given = confined({"disk": [str(tmp_path / "disk"), 65_536]}, FILLS, tmp_path).split()
    assert given[0] in ("ENOSPC", "EFBIG")
    assert 0 < int(given[1]) <= 65_536
    assert (tmp_path / "disk.kept" / "file").stat().st_size == int(given[1])


WRITES = """
from pathlib import Path
try:
    Path("locked", "file").write_text("")
    print("written")
except PermissionError:
    print("refused")
"""


@pytest.mark.parametrize("mode", [0o555, 0o755])
def test_negative_a_folder_without_the_right_to_write_refuses_root_too(
    tmp_path: Path, mode: int
) -> None:
    (tmp_path / "locked").mkdir(mode=mode)
    given = confined({"obey_modes": True}, WRITES, tmp_path)
    assert given.split()[0] == ("refused" if mode == 0o555 else "written")
