"""One worker process seen from its parent: start it, talk to it, tell how it died, kill it."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_modelqa.core.model import Mode
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.wire import encode
from pytest_modelqa.runtime.machine import oom_kills
from pytest_modelqa.runtime.protocol import WorkerConfig

_LOG_TAIL_LINES = 60
_LOG_TAIL_BYTES = 16_384
_OUT_OF_MEMORY = re.compile(
    r"bad_alloc|failed to allocate|cannot allocate memory|insufficient memory", re.IGNORECASE
)


class WorkerDied(Exception):
    """The process is gone. `how` says by what: a signal, an exit code, garbage on the pipe.

    `from_outside` marks a SIGKILL that the kernel's out-of-memory killer did not send.
    """

    def __init__(self, how: str, log: str, *, from_outside: bool = False) -> None:
        super().__init__(how)
        self.how = how
        self.log = log
        self.from_outside = from_outside


class WorkerSilent(Exception):
    """Nothing came before the deadline; the process still lives and must be killed."""


class Process:
    """A started worker. Its stdout and stderr go to `log`; messages come on a pipe of their own."""

    def __init__(self, config: WorkerConfig, log: Path) -> None:
        self._log = log
        self._oom_kills = oom_kills()
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

    def fileno(self) -> int:
        """What `select` waits for."""
        return self._reader

    def send(self, requests: Sequence[Request], mode: Mode, threads: int) -> None:
        """Hand over a batch. A process that is gone tells so when its messages are read."""
        encoded = [encode(r) for r in requests]
        batch = {"op": "batch", "mode": mode, "threads": threads, "requests": encoded}
        assert self._popen.stdin is not None
        with suppress(OSError):
            self._popen.stdin.write(json.dumps(batch).encode() + b"\n")
            self._popen.stdin.flush()

    def messages(self) -> Iterator[dict[str, Any]]:
        """Every message that has come; does not wait. Raises WorkerDied after the last one."""
        while self._reader >= 0 and select.select([self._reader], [], [], 0)[0]:
            data = os.read(self._reader, 1 << 16)
            if not data:
                raise self._death()
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                yield self._parsed(line)

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
        log = self.log_tail()
        by_kernel = oom_kills() > self._oom_kills
        outside = code == -signal.SIGKILL and not by_kernel
        return WorkerDied(_manner(code, log, by_kernel=by_kernel), log, from_outside=outside)

    def _close_pipes(self) -> None:
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
        if self._popen.stdin is not None and not self._popen.stdin.closed:
            with suppress(OSError):
                self._popen.stdin.close()


def ready(processes: Sequence[Process], deadline: float) -> list[Process]:
    """Those that wrote or ended; waits for the first until `deadline` on time.monotonic()."""
    return select.select(processes, [], [], max(0.0, deadline - time.monotonic()))[0]


def _manner(code: int, log: str, *, by_kernel: bool) -> str:
    if code == -signal.SIGKILL:
        if by_kernel:
            return "was killed by the kernel for lack of memory (OOM kill)"
        return "was killed by SIGKILL from outside: the kernel's OOM killer did not do it"
    if code == -signal.SIGABRT:
        if _OUT_OF_MEMORY.search(log):
            return "aborted (SIGABRT: an allocation failed, see limits.memory_mb)"
        return "aborted (SIGABRT: an assertion or an uncaught exception of native code)"
    if code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _environment(threads: int) -> dict[str, str]:
    """Native thread pools are told before they start; nothing is fetched at run time.

    libgomp's threads wait at a barrier by spinning. Where other processes want the cores too, a
    thread spins while the one it waits for has no core: a comparison of 31 s took more than 270.
    A thousand turns instead of libgomp's 300,000 cost nothing while the cores are ours, and then
    let the others run: 59 s beside two busy processes, on half the machine. What the user has set
    stays.
    """
    patience = {} if "OMP_WAIT_POLICY" in os.environ else {"GOMP_SPINCOUNT": "1000"}
    return {
        **patience,
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONFAULTHANDLER": "1",
        "GGML_NO_BACKTRACE": "1",  # a debugger takes seconds, and its pages hide what ggml said
    }
