"""Answers batches with isolated workers: deadlines, blame, replacement, at most N loaded models."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pytest_modelqa.core.answer import Answer, Failure
from pytest_modelqa.core.errors import OutputError
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.wire import decode_answer
from pytest_modelqa.runtime.process import Process, WorkerDied, WorkerSilent
from pytest_modelqa.runtime.protocol import SILENCE_S, WorkerConfig

_RESTARTS_PER_BATCH = 8
"""A model that kills its worker this often in one batch is not tried further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer with its cost and the build that gave it (empty when no engine was opened)."""

    answer: Answer
    seconds: float
    build: str


@dataclass(slots=True)
class _Worker:
    process: Process
    build: str = ""


@dataclass(slots=True, kw_only=True)
class _Turn:
    """Where a worker stands in a batch: what it has begun, and until when it may take.

    `proven` workers have opened their model or answered before: their end is not the model's.
    """

    load_timeout_s: float
    request_timeout_s: float
    proven: bool
    current: int | None = None
    opening: bool = False
    started: float = field(default_factory=time.monotonic)
    timeout_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.timeout_s = self.load_timeout_s

    @property
    def deadline(self) -> float:
        """When the present step must have ended, on time.monotonic()."""
        return self.started + self.timeout_s

    @property
    def waited_s(self) -> float:
        """How long the present step has taken so far."""
        return time.monotonic() - self.started

    def begun(self) -> int:
        """The index that is being answered. An answer without a beginning is a broken worker."""
        if self.current is None:
            raise WorkerDied("answered without having begun", "")
        return self.current

    def note(self, message: dict[str, Any]) -> None:
        """Follow the worker; each step has its own deadline."""
        self.started = time.monotonic()
        match message["op"]:
            case "opening":
                self.opening, self.timeout_s = True, self.load_timeout_s
            case "opened":
                self.opening, self.proven, self.timeout_s = False, True, self.request_timeout_s
            case "begin":
                self.current, self.timeout_s = message["index"], self.request_timeout_s
            case "answer":
                self.current, self.proven = None, True


class Pool:
    """Workers by configuration. One is answering at a time; idle ones keep their model loaded.

    `load_timeout_s` bounds start and loading, `request_timeout_s` each request.
    """

    def __init__(
        self,
        *,
        logs: Path,
        load_timeout_s: float,
        request_timeout_s: float,
        max_loaded_models: int = 1,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._logs = logs
        self._load_timeout_s = load_timeout_s
        self._request_timeout_s = request_timeout_s
        self._max_loaded_models = max_loaded_models
        self._silence_s = silence_s
        self._workers: OrderedDict[WorkerConfig, _Worker] = OrderedDict()
        self._hopeless: dict[WorkerConfig, Failure] = {}
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker."""
        while self._workers:
            _, worker = self._workers.popitem()
            worker.process.stop()

    def answer(
        self, config: WorkerConfig, requests: Sequence[Request]
    ) -> Iterator[tuple[int, Answered]]:
        """Answer a batch, each request exactly once, in order of completion.

        A request that kills or hangs its worker gets a Failure; the rest is answered by a fresh
        worker. A model that cannot be opened fails all its requests, and is not tried again.
        """
        left = list(range(len(requests)))
        for _ in range(_RESTARTS_PER_BATCH):
            if not left or config in self._hopeless:
                break
            try:
                for index, answered in self._run(config, requests, left):
                    left.remove(index)
                    yield index, answered
            except BaseException:
                self._discard(config)
                raise
        failure = self._hopeless.get(config) or Failure(
            cause="crashed",
            reason=f"not tried: this batch killed {_RESTARTS_PER_BATCH} workers before",
        )
        for index in left:
            yield index, Answered(answer=failure, seconds=0.0, build="")

    def _run(
        self, config: WorkerConfig, requests: Sequence[Request], left: Sequence[int]
    ) -> Iterator[tuple[int, Answered]]:
        """Put what is left to one worker; ends early when that worker ends."""
        order = list(left)
        turn = _Turn(
            load_timeout_s=self._load_timeout_s,
            request_timeout_s=self._request_timeout_s,
            proven=config in self._workers,
        )
        worker = self._worker(config)
        try:
            worker.process.send([requests[i] for i in order])
            while (message := self._next(worker, turn))["op"] != "done":
                if message["op"] == "answer":
                    yield order[turn.begun()], _answered(message, worker.build)
                elif message["op"] == "opened":
                    worker.build = message["build"]
                turn.note(message)
        except (WorkerDied, WorkerSilent) as end:
            log = worker.process.log_tail()
            self._discard(config)
            failure = self._failure(end, turn, log)
            if turn.opening or not (turn.proven or turn.current is not None):
                self._hopeless[config] = _while_loading(failure)
            elif turn.current is not None:
                lost = Answered(answer=failure, seconds=turn.waited_s, build="")
                yield order[turn.current], lost

    def _next(self, worker: _Worker, turn: _Turn) -> dict[str, Any]:
        """The next message that is not a heartbeat."""
        while True:
            silent_at = time.monotonic() + self._silence_s
            message = worker.process.receive(min(turn.deadline, silent_at))
            if message["op"] != "beat":
                return message

    def _failure(self, end: WorkerDied | WorkerSilent, turn: _Turn, log: str) -> Failure:
        if isinstance(end, WorkerDied):
            return Failure(cause="crashed", reason=f"the worker {end.how}", detail=end.log)
        if turn.waited_s < turn.timeout_s:
            reason = f"the worker gave no sign of life for {self._silence_s:g} s and was killed"
        else:
            reason = f"no answer within {turn.timeout_s:g} s; the worker was killed"
        return Failure(
            cause="timeout", reason=reason, detail=log, remedy="raise limits in the playbook"
        )

    def _worker(self, config: WorkerConfig) -> _Worker:
        """The live worker of a configuration, started if need be; makes room first."""
        if config in self._workers:
            self._workers.move_to_end(config)
            return self._workers[config]
        while len(self._workers) >= self._max_loaded_models:
            _, oldest = self._workers.popitem(last=False)
            oldest.process.stop()
        self._started += 1
        log = self._logs / f"worker-{os.getpid()}-{self._started}.log"
        try:
            worker = _Worker(Process(config, log))
        except OSError as error:
            raise OutputError(f"cannot start a worker: {error}", where=str(log)) from error
        self._workers[config] = worker
        return worker

    def _discard(self, config: WorkerConfig) -> None:
        if worker := self._workers.pop(config, None):
            worker.process.kill()


def _answered(message: dict[str, Any], build: str) -> Answered:
    try:
        answer = decode_answer(message["answer"])
    except ValueError as error:
        raise WorkerDied(f"gave an answer that is none: {error}", "") from error
    return Answered(answer=answer, seconds=message["seconds"], build=build)


def _while_loading(failure: Failure) -> Failure:
    return Failure(
        cause=failure.cause,
        reason=f"while loading: {failure.reason}",
        detail=failure.detail,
        remedy=failure.remedy,
    )
