"""The child process: opens one artifact with one engine, answers until its parent goes away.

Started as `python -m pytest_modelqa.runtime.worker CONFIG`. Native code may kill it at any moment;
that is what it is for.
"""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any, TypeVar

from pytest_modelqa.core.answer import Answer, Failure
from pytest_modelqa.core.comparison import tensors
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.measuring import Measure
from pytest_modelqa.core.model import Mode
from pytest_modelqa.core.request import Comparison, Generate, Inspect, Request
from pytest_modelqa.core.wire import decode_request, encode
from pytest_modelqa.engines import pair
from pytest_modelqa.engines.base import Engine, Settings
from pytest_modelqa.runtime.bisection import halves
from pytest_modelqa.runtime.measuring import measured
from pytest_modelqa.runtime.opening import Opening, ToOpen, last_lines
from pytest_modelqa.runtime.protocol import BEAT_S, WorkerConfig
from pytest_modelqa.runtime.stored import compare_stored

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""A disk that takes nothing more is no fault of the model."""


class Channel:
    """The pipe to the parent; lines from several threads never mix."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, op: str, **fields: Any) -> None:
        """Write one line. A parent that is gone ends this process."""
        line = json.dumps({"op": op, **fields}, allow_nan=False)
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except OSError:
            os._exit(1)


class Session:
    """An artifact, and the reference that it may be compared with; the answers they give."""

    def __init__(self, config: WorkerConfig, channel: Channel) -> None:
        self._channel = channel
        self._candidate = Opening(_candidate(config), channel.send)
        self._reference = Opening(_reference(config), channel.send) if config.reference else None
        self._paths = config.artifact, config.reference

    def serve(self, requests: Sequence[Request], mode: Mode, threads: int) -> None:
        """Answer a batch, each request once, as answers come."""
        together = {}
        start = time.perf_counter()
        for index, request in enumerate(requests):
            if mode == "fast" and isinstance(request, Generate):
                together[index] = request
                continue
            self._begin(index)
            start = self._send(index, self._answer(request, threads), start)
        for index, answer in self._answers(together, threads):
            start = self._send(index, answer, start)
        self._channel.send("done")

    def _answers(
        self, together: Mapping[int, Generate], threads: int
    ) -> Iterator[tuple[int, Answer]]:
        if not together:
            return
        engine = self._candidate.engine(threads)
        if not isinstance(engine, Failure):
            yield from self._answer_together(engine, together)
            return
        for index in together:
            self._begin(index)
            yield index, engine

    def _begin(self, index: int) -> None:
        self._channel.send("begin", index=index)

    def _send(self, index: int, answer: Answer, start: float) -> float:
        now = time.perf_counter()
        self._channel.send("answer", index=index, answer=encode(answer), seconds=now - start)
        return now

    def _answer(self, request: Request, threads: int) -> Answer:
        """Answer, or say why not. Only MemoryError and ordinary exceptions can be caught here."""
        if isinstance(request, Inspect):
            return self._candidate.inspection
        try:
            if isinstance(request, Comparison):
                return self._compared(request, threads)
            if isinstance(request, Measure):
                return self._candidate.unsafe() or measured(self._paths[0], request)
            engine = self._candidate.engine(threads)
            return engine if isinstance(engine, Failure) else engine.answer(request)
        except Exception as error:  # noqa: BLE001 - it is this request's fate
            return _failure(error, "measurement" if isinstance(request, Measure) else "engine")

    def _compared(self, request: Comparison, threads: int) -> Answer:
        """What is stored is compared without opening any engine."""
        candidate, reference = self._paths
        if self._reference is None or reference is None:
            raise TypeError(f"{type(request).__name__} of a worker that has no reference")
        if isinstance(request, tensors.REQUESTS):
            broken = self._candidate.unsafe() or _of_reference(self._reference.unsafe())
            return broken or compare_stored(candidate, reference, request)
        ours = self._candidate.engine(threads)
        if isinstance(ours, Failure):
            return ours
        theirs = _of_reference(self._reference.engine(threads))
        return theirs if isinstance(theirs, Failure) else pair.compare(ours, theirs, request)

    def _answer_together(
        self, engine: Engine, requests: Mapping[int, Generate]
    ) -> Iterator[tuple[int, Answer]]:
        """An exception is the fate of the one request that raises it alone: halve to find it."""
        left = dict(requests)
        begun: set[int] = set()
        order = list(requests)

        def begin(at: int) -> None:
            begun.add(order[at])
            self._begin(order[at])

        try:
            for at, answer in engine.answer_batch(list(requests.values()), begin):
                del left[order[at]]
                yield order[at], answer
        except Exception as error:  # noqa: BLE001 - it is a request's fate
            suspects = [i for i in left if i in begun] or list(left)
            if len(suspects) == 1:
                yield suspects[0], _failure(error)
            rest = [i for i in left if i not in suspects]
            for unit in (*halves(suspects), rest):
                if unit:
                    yield from self._answer_together(engine, {i: requests[i] for i in unit})


T = TypeVar("T")


def _of_reference(opened: T) -> T | Failure:
    """What is wrong with the reference is not the candidate's fault."""
    if not isinstance(opened, Failure):
        return opened
    return replace(
        opened,
        cause="unavailable",
        reason=f"the reference does not open: {opened.reason}",
        remedy=opened.remedy or "name a sound reference: parity.reference or model.reference",
    )


def _candidate(config: WorkerConfig) -> ToOpen:
    return ToOpen(
        engine=config.engine,
        artifact=config.artifact,
        format=config.format,
        settings=_settings(config, config.dtype),
    )


def _reference(config: WorkerConfig) -> ToOpen:
    assert config.reference is not None
    return ToOpen(
        engine=config.reference_engine,
        artifact=config.reference,
        format=config.reference_format,
        settings=_settings(config, config.reference_dtype),
    )


def _settings(config: WorkerConfig, dtype: str) -> Settings:
    return Settings(
        backend="gpu" if config.backend == "gpu" else "cpu",
        threads=config.threads,
        n_ctx=config.n_ctx,
        arrays=config.arrays,
        memory_bytes=config.cache_bytes,
        dtype=dtype,
    )


def main() -> None:
    """Run until stdin closes."""
    config = WorkerConfig.from_json(sys.argv[1])
    _die_with_parent()
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory(config.memory_bytes)
    channel = Channel(os.fdopen(config.channel, "w", encoding="utf-8"))
    threading.Thread(target=_beat, args=(channel,), daemon=True).start()
    batches: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(batches,), daemon=True).start()
    session = Session(config, channel)
    while True:
        batch = batches.get()
        requests = [decode_request(data) for data in batch["requests"]]
        session.serve(requests, batch["mode"], batch["threads"])


def _read(batches: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        batches.put(json.loads(line))
    os._exit(0)  # the parent closed the pipe or died: no orphan stays behind


def _beat(channel: Channel) -> None:
    while True:
        time.sleep(BEAT_S)
        channel.send("beat")


def _die_with_parent() -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        pr_set_pdeathsig = 1
        libc.prctl(pr_set_pdeathsig, signal.SIGKILL)


def _limit_memory(limit: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _failure(error: Exception, who: str = "engine") -> Failure:
    match error:
        case Refused():
            return Failure(cause="refused", reason=error.what, remedy=error.remedy)
        case MemoryError():
            reason = "out of memory: the limit of the worker's address space (limits.memory_mb)"
            return Failure(cause="crashed", reason=reason, detail=last_lines())
        case OSError() if error.errno in _NO_ROOM:
            reason = f"what was computed cannot be written: {error.strerror}"
            remedy = "free space, or choose another folder with --modelqa-report DIR"
            return Failure(cause="unavailable", reason=reason, remedy=remedy)
        case _:
            reason = f"the {who} raised {type(error).__name__}: {error}"
            return Failure(cause="error", reason=reason, detail=last_lines())


if __name__ == "__main__":
    main()
