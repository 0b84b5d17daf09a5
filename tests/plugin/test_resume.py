"""An interrupted run goes on where it was killed; a repeated one asks nothing again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.runtime.earlier import Earlier
from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import LONGEST_TEXT, SUFFIX, read
from tests.conftest import SOUND, ScriptedPlaybook, scenario
from tests.plugin.conftest import Run

MANY = tuple(scenario(f"s{i}", f"Which city, number {i}?") for i in range(30))
GENERATED = "scenarios_generated: {families: [edge, arithmetic], count: 24}"


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [line for line in read([folder]) if line["type"] == kind]


def verdicts(folder: Path) -> dict[str, tuple[str, str]]:
    """Outcome and evidence keys by case, of the last run in a folder."""
    last = max(folder.glob(f"*{SUFFIX}"))
    run_id = json.loads(last.read_text().splitlines()[0])["run"]["id"]
    (record,) = records(read([folder]), run_id)
    return {r.case.id: (str(r.verdict.outcome), str(sorted(r.evidence))) for r in record.results}


def test_a_repeated_run_starts_no_worker(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    book = scripted(*MANY, extra=GENERATED)
    first, second = tmp_path / "first", tmp_path / "second"
    qualify(book, "--modelqa-report", str(first))
    qualify(book, "--modelqa-report", str(second), "--modelqa-resume", str(first))
    assert len(list((first / "logs").iterdir())) >= 1
    assert not (second / "logs").exists(), "no worker was started"
    assert all(line["resumed"] for line in lines(second, "answer"))
    assert verdicts(second) == verdicts(first)


def test_one_changed_byte_of_the_model_makes_every_answer_new(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    book = scripted(*MANY)
    qualify(book, "--modelqa-report", str(tmp_path / "first"))
    script = tmp_path / "script.json"
    script.write_text(script.read_text().replace(" ", "  ", 1))
    again = ("--modelqa-report", str(tmp_path / "again"), "--modelqa-resume")
    qualify(book, *again, str(tmp_path / "first"))
    assert not any(line["resumed"] for line in lines(tmp_path / "again", "answer"))


def test_a_failed_answer_is_asked_again(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    """A crash may have been the machine's: it is no answer of the model."""
    book = scripted(*MANY, rules=[{"match": "number 7?", "do": "segfault"}])
    for name, more in (("one", ()), ("two", ("--modelqa-resume", str(tmp_path / "one")))):
        qualify(book, "--modelqa-report", str(tmp_path / name), *more)
    fresh = [x for x in lines(tmp_path / "two", "answer") if not x["resumed"]]
    assert [x["request"]["messages"][0]["content"] for x in fresh] == ["Which city, number 7?"]
    assert verdicts(tmp_path / "two") == verdicts(tmp_path / "one")


def test_arrays_come_along_and_changed_ones_do_not(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    book = scripted()
    qualify(book, "--modelqa-report", str(tmp_path / "one"))
    qualify(
        book, "--modelqa-report", str(tmp_path / "two"), "--modelqa-resume", str(tmp_path / "one")
    )
    arrays = {f.name: f.read_bytes() for f in (tmp_path / "one" / "arrays").iterdir()}
    assert arrays
    assert {f.name: f.read_bytes() for f in (tmp_path / "two" / "arrays").iterdir()} == arrays
    for file in (tmp_path / "one" / "arrays").iterdir():
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.unlink()
        file.write_bytes(data)
    earlier = Earlier([tmp_path / "one"])
    logits = [x for x in lines(tmp_path / "two", "answer") if x["answer"]["kind"] == "Logits"]
    assert logits
    assert all(earlier.take(x["key"], tmp_path / "three") is None for x in logits)


def test_a_long_text_is_cut_in_evidence_and_asked_again(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    long = "The city of Paris. " * LONGEST_TEXT
    book = scripted(
        scenario("long", "Tell me all.", max_tokens=100_000),
        rules=[{"match": "Tell me all", "text": long}],
        extra="limits: {max_tokens: 131072, n_ctx: 140000, request_timeout_s: 20}",
    )
    book.write_text(book.read_text().replace("limits:\n  request_timeout_s: 5\n", ""))
    qualify(book, "--modelqa-report", str(tmp_path / "one"))
    (answer,) = [x for x in lines(tmp_path / "one", "answer") if x["answer"].get("text_sha256")]
    assert len(answer["answer"]["text"]) == LONGEST_TEXT
    assert Earlier([tmp_path / "one"]).take(answer["key"], tmp_path) is None


def test_a_folder_that_is_not_there_is_a_usage_error(
    qualify: Run, scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    result = qualify(scripted(), "--modelqa-resume", str(tmp_path / "absent"))
    assert result.ret == 4
    result.stdout.fnmatch_lines(["*absent: there is no such folder to resume from*"])


@pytest.mark.parametrize(
    "more",
    [
        pytest.param((), id="serial"),
        pytest.param(("-n", "2"), id="parallel", marks=pytest.mark.nightly),
    ],
)
def test_ten_kills_and_a_resumed_end_are_as_good_as_an_undisturbed_run(
    scripted: ScriptedPlaybook, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """pytest itself is killed by SIGKILL; its workers die with it; every answer is kept."""
    book = scripted(*MANY, extra=GENERATED, delay_s=0.03)
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    start = time.monotonic()
    assert run(book, whole, *more).wait() == 1, "arithmetic is falsified, as it should be"
    lasts = time.monotonic() - start
    torn.mkdir()
    moments = random.Random(7)
    kept = []
    for number in range(10):
        process = run(book, torn, "--modelqa-resume", str(torn), *more)
        if number % 2:  # on a busy machine the others may all come before the first answer
            _await_answer(torn, process)
        time.sleep(lasts * moments.uniform(0.0, 0.6))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL) if more else process.kill()
        process.wait()
        kept.append(len({x["key"] for x in lines_so_far(torn)}))
    assert kept == sorted(kept)
    assert kept[-1] > 0
    run(book, torn, "--modelqa-resume", str(torn), *more).wait()
    assert verdicts(torn) == verdicts(whole)
    assert SOUND[:10] in str(lines(torn, "answer"))
    assert not orphans(torn)


def _await_answer(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the run has written an answer, or has ended."""
    before = len(lines_so_far(folder))
    while process.poll() is None and len(lines_so_far(folder)) == before:
        time.sleep(0.05)


def run(book: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.Popen(
        [*command, "--playbook", str(book), "--modelqa-report", str(out), *more],
        cwd=book.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def lines_so_far(folder: Path) -> list[dict[str, Any]]:
    return lines(folder, "answer") if any(folder.glob(f"*{SUFFIX}")) else []


def orphans(folder: Path) -> list[str]:
    """Workers of this run that outlived it."""
    time.sleep(1)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [x for x in listed.stdout.splitlines() if "runtime.worker" in x and str(folder) in x]
