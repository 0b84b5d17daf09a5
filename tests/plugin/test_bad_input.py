"""Bad input is a clear message and a documented exit code, never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_modelqa.core.errors import ExitCode
from pytest_modelqa.runtime.store import read
from tests.conftest import ScriptedPlaybook, scenario
from tests.plugin.conftest import Run


def said(result: pytest.RunResult) -> str:
    text = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in text
    return text


def test_no_such_playbook(qualify: Run, tmp_path: Path) -> None:
    result = qualify(tmp_path / "absent.yaml")
    assert result.ret == ExitCode.USAGE
    assert "absent.yaml" in said(result)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("formats: [gguf]", "formats: [ggfu]", "did you mean 'gguf'?"),
        ('oracle": "contains', 'oracle": "contians', "did you mean 'contains'?"),
        ("version:", "version: [", "book.yaml:"),
        ("test_matrix:", "test_matrx:", "test_matrx"),
    ],
)
def test_mistakes_in_a_playbook_name_line_and_column(
    qualify: Run, scripted: ScriptedPlaybook, before: str, after: str, message: str
) -> None:
    book = scripted()
    assert before in book.read_text()
    book.write_text(book.read_text().replace(before, after))
    result = qualify(book)
    assert result.ret == ExitCode.USAGE
    text = said(result)
    assert message in text
    assert "book.yaml:" in text


def test_a_read_only_evidence_folder(qualify: Run, scripted: ScriptedPlaybook) -> None:
    result = qualify(scripted(), "--modelqa-report", "/proc/modelqa")
    assert result.ret == ExitCode.OUTPUT
    assert "cannot write evidence" in said(result)


def test_a_full_disk_in_the_middle_of_a_run(
    scripted: ScriptedPlaybook, tmp_path: Path, qualify_apart: Run
) -> None:
    """RLIMIT_FSIZE stands in for a full disk: the kernel refuses the write just the same.

    Where coverage is measured its file is refused too, and it says so in its own way: it stays out.
    """
    book = scripted(*[scenario(f"s{i}", f"Which city {i}?") for i in range(40)])
    out = tmp_path / "out"
    uncovered = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    run = subprocess.run(
        [
            "bash", "-c",
            f"ulimit -f 24; trap '' XFSZ; exec {sys.executable} -m pytest --playbook {book} "
            f"--modelqa-report {out} -p no:cacheprovider",
        ],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=uncovered,
    )  # fmt: skip
    assert run.returncode == ExitCode.OUTPUT, run.stdout + run.stderr
    assert "cannot write evidence" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def interrupted(book: Path, out: Path, sign: signal.Signals) -> tuple[int, str, list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--playbook", str(book), "--modelqa-report", str(out)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=out.parent,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not _answers(out):
        time.sleep(0.05)
    workers = _children(process.pid)
    assert workers, "a worker is running"
    process.send_signal(sign)
    text, _ = process.communicate(timeout=60)
    return process.returncode, text, workers


def test_ctrl_c_keeps_the_evidence_prints_the_summary_and_leaves_no_orphan(
    scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    rules = [{"match": "boom", "do": "hang"}]
    book = scripted(scenario("good", "Which?"), scenario("bad", "boom"), rules=rules)
    book.write_text(book.read_text().replace("request_timeout_s: 5", "request_timeout_s: 100"))
    code, text, workers = interrupted(book, tmp_path / "out", signal.SIGINT)
    assert code == ExitCode.INTERRUPTED
    assert "modelqa" in text
    assert "of 1000" in text
    kinds = [r["type"] for r in read([tmp_path / "out"])]
    assert "answer" in kinds
    assert kinds[-1] == "end"
    _gone(workers)


def test_kill_9_leaves_no_orphan_and_readable_evidence(
    scripted: ScriptedPlaybook, tmp_path: Path
) -> None:
    rules = [{"match": "boom", "do": "hang"}]
    book = scripted(scenario("bad", "boom"), rules=rules)
    book.write_text(book.read_text().replace("request_timeout_s: 5", "request_timeout_s: 100"))
    code, _, workers = interrupted(book, tmp_path / "out", signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert "answer" in [r["type"] for r in read([tmp_path / "out"])]
    _gone(workers)


def _answers(out: Path) -> bool:
    return any('"type":"answer"' in f.read_text() for f in out.glob("*.evidence.jsonl"))


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(_alive(p) for p in pids):
        assert time.monotonic() < deadline, f"orphans: {pids}"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
