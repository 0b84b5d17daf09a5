"""Progress is shown on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.conftest import ScriptedPlaybook
from tests.plugin.conftest import Run


def test_a_terminal_sees_progress(scripted: ScriptedPlaybook, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--playbook", str(scripted())],
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
    )
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 4096):
            text += chunk
    except OSError:
        pass  # Linux says EIO when the other side closes
    os.close(ours)
    assert process.wait() == 0
    assert b"gguf-f32-cpu-chat: 1/" in text
    assert b"answers," in text


def test_a_pipe_sees_none(qualify_apart: Run, scripted: ScriptedPlaybook) -> None:
    result = qualify_apart(scripted())
    result.assert_outcomes(passed=6)
    result.stdout.no_fnmatch_line("*answers, * tokens/s")
