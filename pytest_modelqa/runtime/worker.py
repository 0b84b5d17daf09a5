"""The child process: opens one artifact with one engine, answers until its parent goes away.

Started as `python -m pytest_modelqa.runtime.worker CONFIG`. Native code may kill it at any moment;
that is what it is for.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import IO, Any

from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.core.answer import Answer, Failure, Inspection
from pytest_modelqa.core.errors import Refused, Unavailable
from pytest_modelqa.core.model import Mode
from pytest_modelqa.core.request import Generate, Inspect, Request
from pytest_modelqa.core.wire import decode_request, encode
from pytest_modelqa.engines import engine_table, resolve
from pytest_modelqa.engines.base import Engine, Settings
from pytest_modelqa.runtime.bisection import halves
from pytest_modelqa.runtime.protocol import BEAT_S, WorkerConfig


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
    """An artifact on its way from file to open engine, and the answers it gives."""

    def __init__(self, config: WorkerConfig, channel: Channel) -> None:
        self._config = config
        self._channel = channel
        self._engine: Engine | None = None
        self._refusal: Failure | None = None
        self._synthetic = engine_table()[config.engine].synthetic

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
        engine = self._opened(threads) if together else None
        if engine is not None:
            yield from self._answer_together(engine, together)
        elif self._refusal is not None:
            for index in together:
                self._begin(index)
                yield index, self._refusal

    def _begin(self, index: int) -> None:
        self._channel.send("begin", index=index)

    def _send(self, index: int, answer: Answer, start: float) -> float:
        now = time.perf_counter()
        self._channel.send("answer", index=index, answer=encode(answer), seconds=now - start)
        return now

    def _answer(self, request: Request, threads: int) -> Answer:
        """Answer, or say why not. Only MemoryError and ordinary exceptions can be caught here."""
        if isinstance(request, Inspect):
            return self._inspection
        engine = self._opened(threads)
        if engine is None:
            assert self._refusal is not None
            return self._refusal
        try:
            return engine.answer(request)
        except Exception as error:  # noqa: BLE001 - it is this request's fate
            return _failure(error)

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

    def _opened(self, threads: int) -> Engine | None:
        if self._engine is None and self._refusal is None:
            self._open()
        if self._engine is not None:
            self._engine.use_threads(threads)
        return self._engine

    def _open(self) -> None:
        self._channel.send("opening")
        try:
            self._refuse_unsafe_header()
            _, engine = resolve(self._config.engine)
            self._engine = engine.open(self._config.artifact, self._settings())
        except Unavailable as error:
            self._refusal = Failure(cause="unavailable", reason=error.what, remedy=error.remedy)
        except Refused as error:
            self._refusal = Failure(cause="refused", reason=error.what, remedy=error.remedy)
        except MemoryError:
            self._refusal = Failure(
                cause="crashed", reason="out of memory while loading (limits.memory_mb)"
            )
        except Exception as error:  # noqa: BLE001 - a foreign loader may raise anything
            reason = f"loading raised {type(error).__name__}: {error}"
            self._refusal = Failure(cause="refused", reason=reason, detail=_trace())
        self._channel.send("opened")

    @cached_property
    def _inspection(self) -> Inspection:
        """Of a model file, once. A script is no model file: there is nothing to be unsafe."""
        if not self._synthetic:
            return inspect(self._config.artifact, self._config.format)
        return Inspection(
            format="script",
            architecture="script",
            tensors=0,
            parameters=0,
            checked=1,
            findings=(),
            unsafe=False,
        )

    def _refuse_unsafe_header(self) -> None:
        seen = self._inspection
        if seen.unsafe:
            first = seen.findings[0]
            raise Refused(
                f"not handed to the native loader: {first.code} at byte {first.offset}: "
                f"{first.message}",
                where=str(self._config.artifact),
            )

    def _settings(self) -> Settings:
        c = self._config
        return Settings(
            backend="gpu" if c.backend == "gpu" else "cpu",
            threads=c.threads,
            n_ctx=c.n_ctx,
            arrays=c.arrays,
            memory_bytes=c.cache_bytes,
            dtype=c.dtype,
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


def _failure(error: Exception) -> Failure:
    match error:
        case Refused():
            return Failure(cause="refused", reason=error.what, remedy=error.remedy)
        case MemoryError():
            reason = "out of memory: the limit of the worker's address space (limits.memory_mb)"
            return Failure(cause="crashed", reason=reason, detail=_trace())
        case _:
            reason = f"the engine raised {type(error).__name__}: {error}"
            return Failure(cause="error", reason=reason, detail=_trace())


def _trace() -> str:
    return "".join(traceback.format_exc().splitlines(keepends=True)[-20:])


if __name__ == "__main__":
    main()
