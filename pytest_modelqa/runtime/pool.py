"""Answers batches with isolated workers: who works on what, who is to blame, who is replaced."""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pytest_modelqa.core.answer import Answer, Failure
from pytest_modelqa.core.errors import OutputError
from pytest_modelqa.core.model import Mode
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.wire import decode_answer
from pytest_modelqa.runtime.bisection import halves
from pytest_modelqa.runtime.pace import Pace
from pytest_modelqa.runtime.process import Process, WorkerDied, WorkerSilent, ready
from pytest_modelqa.runtime.protocol import SILENCE_S, WorkerConfig
from pytest_modelqa.runtime.turn import Turn

_GUILTY_IN_A_ROW = 8
"""When so many requests in a row killed their worker, the model is at fault: no more are tried."""

_WORTH_A_WORKER = 8
"""Requests that must wait before another worker loads the model to share them."""

_IDLE_DEATHS = 3
"""A worker that ends so often with no request under way will not be started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer with its cost in seconds of the worker; in a batch they sum to the batch's."""

    answer: Answer
    seconds: float


@dataclass(slots=True, kw_only=True)
class _Worker:
    """`turn` is None while it has nothing to do. `proven` once it opened its model or answered."""

    process: Process
    turn: Turn | None = None
    proven: bool = False


@dataclass(slots=True, kw_only=True)
class _Work:
    """A batch on its way: units are lists of indices that are put to one worker at a time."""

    config: WorkerConfig
    requests: Sequence[Request]
    mode: Mode
    threads: int
    width: int
    units: deque[list[int]]
    guilty: int = 0
    guilty_in_a_row: int = 0
    idle_deaths: int = 0
    asked_again: set[int] = field(default_factory=set)
    deaths: list[str] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return sum(map(len, self.units))


class Pool:
    """Workers by configuration; idle ones keep their model loaded.

    `load_timeout_s` bounds start and loading, `request_timeout_s` each request, which is given
    less, and never less than `request_floor_s`, once the model's speed is known. `incidents` tells
    of deaths that no request could be blamed for.
    """

    def __init__(
        self,
        *,
        logs: Path,
        load_timeout_s: float,
        request_timeout_s: float,
        request_floor_s: float,
        max_loaded_models: int = 1,
        silence_s: float = SILENCE_S,
    ) -> None:
        self.incidents: list[str] = []
        self._logs = logs
        self._load_timeout_s = load_timeout_s
        self._pace_bounds = (request_floor_s, request_timeout_s)
        self._max_loaded_models = max_loaded_models
        self._silence_s = silence_s
        self._crews: OrderedDict[WorkerConfig, list[_Worker]] = OrderedDict()
        self._paces: dict[tuple[WorkerConfig, Mode], Pace] = {}
        self._hopeless: dict[WorkerConfig, Failure] = {}
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker."""
        while self._crews:
            _, crew = self._crews.popitem()
            for worker in crew:
                worker.process.stop()

    def answer(
        self,
        config: WorkerConfig,
        requests: Sequence[Request],
        *,
        mode: Mode = "exact",
        width: int = 1,
    ) -> Iterator[tuple[int, Answered]]:
        """Answer a batch, each request exactly once, in order of completion.

        In mode exact up to `width` workers share the requests and the threads; in mode fast one
        worker takes them all. A request that kills or hangs its worker gets a Failure; the rest is
        answered by a fresh one. A model that cannot be opened fails all its requests, and is not
        tried again.
        """
        everything = list(range(len(requests)))
        exact = mode == "exact"
        work = _Work(
            config=config,
            requests=requests,
            mode=mode,
            threads=max(1, config.threads // width) if exact else config.threads,
            width=width if exact else 1,
            units=deque([i] for i in everything) if exact else deque([everything]),
        )
        try:
            yield from self._done(work) if requests else ()
            self.incidents += work.deaths if not work.guilty else ()
        except BaseException:
            self._discard_crew(config)
            raise

    def _done(self, work: _Work) -> Iterator[tuple[int, Answered]]:
        while work.units or self._busy(work.config):
            if failure := self._hopeless.get(work.config):
                yield from _failed(work, failure)
                if not self._busy(work.config):
                    return
            self._deal(work)
            for worker in self._ready(work.config):
                yield from self._heard(work, worker)

    def _busy(self, config: WorkerConfig) -> list[_Worker]:
        return [w for w in self._crews.get(config, ()) if w.turn is not None]

    def _deal(self, work: _Work) -> None:
        """Give idle workers the next units; start another worker where enough is waiting."""
        crew = self._crew(work.config)
        idle = [w for w in crew if w.turn is None]
        wanted = min(work.width, 1 + work.waiting // _WORTH_A_WORKER)
        while work.units and (idle or not crew or len(crew) < wanted):
            if not idle:
                idle.append(self._start(work.config))
                crew.append(idle[-1])
            self._give(work, idle.pop(0), work.units.popleft())

    def _give(self, work: _Work, worker: _Worker, unit: list[int]) -> None:
        pace = self._paces.setdefault((work.config, work.mode), Pace(*self._pace_bounds))
        worker.turn = Turn(
            unit=unit,
            requests=work.requests,
            load_timeout_s=self._load_timeout_s,
            silence_s=self._silence_s,
            pace=pace,
        )
        worker.process.send([work.requests[i] for i in unit], work.mode, work.threads)

    def _ready(self, config: WorkerConfig) -> list[_Worker]:
        """The busy workers that wrote, ended, or are overdue; waits for the first of them."""
        busy = self._busy(config)
        deadline = min((w.turn.deadline for w in busy if w.turn is not None), default=0.0)
        wrote = ready([w.process for w in busy], deadline)
        return [w for w in busy if w.process in wrote] or busy

    def _heard(self, work: _Work, worker: _Worker) -> Iterator[tuple[int, Answered]]:
        """Every message that is there; then, for a worker that ended, who is to blame."""
        turn = worker.turn
        assert turn is not None
        try:
            for message in worker.process.messages():
                if (answered := self._noted(worker, turn, message)) is not None:
                    work.guilty_in_a_row = work.idle_deaths = 0
                    yield answered
            if worker.turn is not None and turn.overdue:
                raise WorkerSilent  # noqa: TRY301 - one place ends a worker
        except (WorkerDied, WorkerSilent) as end:
            yield from self._ended(work, worker, turn, end)

    def _noted(
        self, worker: _Worker, turn: Turn, message: dict[str, Any]
    ) -> tuple[int, Answered] | None:
        turn.note(message)
        match message["op"]:
            case "done":
                worker.turn = None
            case "opened":
                worker.proven = True
            case "answer":
                worker.proven = True
                answered = _answered(message)
                return turn.answered(message, answered.answer), answered
        return None

    def _ended(
        self, work: _Work, worker: _Worker, turn: Turn, end: WorkerDied | WorkerSilent
    ) -> Iterator[tuple[int, Answered]]:
        """One suspect is blamed; of several each half is tried again; the rest is put back.

        A SIGKILL that the kernel did not send came from outside: its request gets a second chance.
        """
        failure = _why(worker.process, turn, end)
        others_live = self._discard(work.config, worker)
        rest = [i for i in turn.left if i not in turn.begun]
        suspects = turn.begun
        if turn.opening or not (worker.proven or suspects):
            self._failed_to_load(work, turn, failure, others_live=others_live)
            return
        if not suspects:
            self._ended_idle(work, rest, failure)
            return
        if rest:
            work.units.appendleft(rest)
        parts = halves(suspects)
        work.units.extendleft(reversed(parts))
        if not parts and isinstance(end, WorkerDied) and end.from_outside:
            again = [i for i in suspects if i not in work.asked_again]
            work.asked_again.update(again)
            work.units.extendleft([again] if again else [])
            parts = (again,) if again else ()
        if parts:
            work.deaths.append(f"{len(suspects)} requests under way: {failure.reason}")
            return
        work.guilty += 1
        work.guilty_in_a_row += 1
        if work.guilty_in_a_row >= _GUILTY_IN_A_ROW:
            self._hopeless[work.config] = _not_tried(failure)
        yield suspects[0], Answered(answer=failure, seconds=turn.waited_s)

    def _failed_to_load(
        self, work: _Work, turn: Turn, failure: Failure, *, others_live: bool
    ) -> None:
        """A second copy that does not fit is no defect of the model: go on with those that did."""
        work.units.appendleft(turn.left)
        if others_live:
            work.width = len(self._crews[work.config])
            self.incidents.append(f"another worker could not start: {failure.reason}")
        else:
            self._hopeless[work.config] = _while_loading(failure)

    def _ended_idle(self, work: _Work, rest: list[int], failure: Failure) -> None:
        work.units.appendleft(rest)
        work.idle_deaths += 1
        self.incidents.append(f"between two requests: {failure.reason}")
        if work.idle_deaths >= _IDLE_DEATHS:
            self._hopeless[work.config] = failure

    def _crew(self, config: WorkerConfig) -> list[_Worker]:
        """The live workers of a configuration; makes room for its first one."""
        if config in self._crews:
            self._crews.move_to_end(config)
            return self._crews[config]
        while len(self._crews) >= self._max_loaded_models:
            _, oldest = self._crews.popitem(last=False)
            for worker in oldest:
                worker.process.stop()
        return self._crews.setdefault(config, [])

    def _start(self, config: WorkerConfig) -> _Worker:
        self._started += 1
        log = self._logs / f"worker-{os.getpid()}-{self._started}.log"
        try:
            return _Worker(process=Process(config, log))
        except OSError as error:
            raise OutputError(f"cannot start a worker: {error}", where=str(log)) from error

    def _discard(self, config: WorkerConfig, worker: _Worker) -> bool:
        """Kill one worker; tells whether others of its crew have their model open."""
        worker.turn = None
        worker.process.kill()
        crew = self._crews[config]
        crew.remove(worker)
        return any(w.proven for w in crew)

    def _discard_crew(self, config: WorkerConfig) -> None:
        for worker in self._crews.pop(config, ()):
            worker.process.kill()


def _failed(work: _Work, failure: Failure) -> Iterator[tuple[int, Answered]]:
    while work.units:
        for index in work.units.popleft():
            yield index, Answered(answer=failure, seconds=0.0)


def _answered(message: dict[str, Any]) -> Answered:
    try:
        answer = decode_answer(message["answer"])
    except ValueError as error:
        raise WorkerDied(f"gave an answer that is none: {error}", "") from error
    return Answered(answer=answer, seconds=message["seconds"])


def _why(process: Process, turn: Turn, end: WorkerDied | WorkerSilent) -> Failure:
    if isinstance(end, WorkerDied):
        return Failure(cause="crashed", reason=f"the worker {end.how}", detail=end.log)
    return Failure(
        cause="timeout",
        reason=turn.reproach,
        detail=process.log_tail(),
        remedy="raise limits in the playbook",
    )


def _while_loading(failure: Failure) -> Failure:
    return Failure(
        cause=failure.cause,
        reason=f"while loading: {failure.reason}",
        detail=failure.detail,
        remedy=failure.remedy,
    )


def _not_tried(failure: Failure) -> Failure:
    return Failure(
        cause="crashed",
        reason=f"not tried: {_GUILTY_IN_A_ROW} requests in a row cost their worker, "
        f"the last one: {failure.reason}",
    )
