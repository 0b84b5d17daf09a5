"""One worker process seen from its parent: start it, talk to it, tell how it died, kill it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_modelqa.core.request import Request
from pytest_modelqa.core.wire import encode
from pytest_modelqa.runtime.protocol import WorkerConfig

_LOG_TAIL_LINES = 60
_LOG_TAIL_BYTES = 16_384


class WorkerDied(Exception):
    """The process is gone. `how` says by what: a signal, an exit code, garbage on the pipe."""

    def __init__(self, how: str, log: str) -> None:
        super().__init__(how)
        self.how = how
        self.log = log


class WorkerSilent(Exception):
    """Nothing came before the deadline; the process still lives and must be killed."""


class Process:
    """A started worker. Its stdout and stderr go to `log`; messages come on a pipe of their own."""

    def __init__(self, config: WorkerConfig, log: Path) -> None:
        self._log = log
        reader, writer = os.pipe()
        config = replace(config, channel=writer)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "pytest_modelqa.runtime.worker", config.to_json()],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                pass_fds=(writer,),
                start_new_session=True,
                env=_environment(config.threads),
            )
        os.close(writer)
        self._reader = reader
        self._buffer = b""

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._popen.pid

    def send(self, requests: Sequence[Request]) -> None:
        """Hand over a batch. Raises WorkerDied."""
        line = json.dumps({"op": "batch", "requests": [encode(r) for r in requests]})
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(line.encode() + b"\n")
            self._popen.stdin.flush()
        except OSError as error:
            raise self._death() from error

    def receive(self, deadline: float) -> dict[str, Any]:
        """The next message. `deadline` is on time.monotonic(). Raises WorkerDied, WorkerSilent."""
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._reader], [], [], left)[0]:
                raise WorkerSilent
            data = os.read(self._reader, 1 << 16)
            if not data:
                raise self._death()
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return self._parsed(line)

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict) or "op" not in message:
            self.kill()
            raise WorkerDied(
                f"wrote garbage instead of the protocol: {line[:60]!r}", self.log_tail()
            )
        return message

    def kill(self) -> None:
        """End the process and its whole group, at once and for good."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._close_pipes()

    def stop(self, patience_s: float = 5.0) -> None:
        """Ask the process to end by closing its stdin; kill it when it does not."""
        assert self._popen.stdin is not None
        with suppress(OSError, subprocess.TimeoutExpired):
            self._popen.stdin.close()
            self._popen.wait(patience_s)
        self.kill()

    def log_tail(self) -> str:
        """The last native log lines and, after a crash, faulthandler's trace."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - _LOG_TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError as error:
            return f"(no log: {error})"
        return "\n".join(text.splitlines()[-_LOG_TAIL_LINES:])

    def _death(self) -> WorkerDied:
        """Why the pipe closed; a child that only closed its pipe is killed."""
        try:
            code = self._popen.wait(5.0)
        except subprocess.TimeoutExpired:
            self.kill()
            return WorkerDied("closed its pipe while still running", self.log_tail())
        self.kill()
        return WorkerDied(_manner(code), self.log_tail())

    def _close_pipes(self) -> None:
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
        if self._popen.stdin is not None and not self._popen.stdin.closed:
            with suppress(OSError):
                self._popen.stdin.close()


def _manner(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed by SIGKILL (by the system for lack of memory, or by somebody)"
    if code == -signal.SIGABRT:
        return "aborted (SIGABRT: an assertion or an uncaught exception of native code)"
    if code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _environment(threads: int) -> dict[str, str]:
    """Native thread pools are told before they start; nothing is fetched at run time."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONFAULTHANDLER": "1",
    }
