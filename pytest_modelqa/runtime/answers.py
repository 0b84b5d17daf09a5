"""Every answer of a run: asked once, written down, and taken from earlier evidence where it is.

An answer's key is the hash of its request, the artifact's SHA-256 (which covers tokenizer and chat
template: they are files of the artifact), the engine's build and the settings that decide results.
Threads are none of them: both engines give the same answers for any number (tests compare them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pytest_modelqa.core.answer import Failure, Generation
from pytest_modelqa.core.comparison.tensors import REQUESTS as STORED
from pytest_modelqa.core.ids import content_key
from pytest_modelqa.core.measuring import Measure
from pytest_modelqa.core.model import Mode
from pytest_modelqa.core.request import Comparison, Generate, Inspect, Request
from pytest_modelqa.core.wire import encode
from pytest_modelqa.engines import build_of
from pytest_modelqa.runtime.earlier import Earlier
from pytest_modelqa.runtime.machine import copies, versions
from pytest_modelqa.runtime.measuring import build_of as build_of_measurement
from pytest_modelqa.runtime.pool import Answered, Pool
from pytest_modelqa.runtime.protocol import WorkerConfig
from pytest_modelqa.runtime.store import Store, written
from pytest_modelqa.runtime.unchanged import Unchanged

Progress = Callable[[str, int, int, float], None]
"""Called per answer with the cell's id, answers so far, answers in the batch, tokens/s so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who answers: an artifact in an engine, for a cell, with its reference where it has one.

    `bytes` is the size of the artifacts.
    """

    cell: str
    artifact_sha256: str
    bytes: int
    config: WorkerConfig
    reference_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An answer under its key."""

    key: str
    answered: Answered


class Answers:
    """Asks the pool what neither this run nor an earlier one has answered."""

    def __init__(
        self, pool: Pool, store: Store, earlier: Earlier, progress: Progress | None = None
    ) -> None:
        self._pool = pool
        self._store = store
        self._earlier = earlier
        self._progress = progress
        self._recorded: dict[tuple[WorkerConfig, Mode, Request], Recorded] = {}
        self._unchanged = Unchanged()

    def get(self, source: Source, request: Request, mode: Mode) -> Recorded:
        """What was answered. Raises KeyError when nobody asked."""
        config = _asked_of(source, request).config
        return self._recorded[config, _mode(request, mode), request]

    def ask(self, source: Source, requests: Iterable[Request], mode: Mode) -> None:
        """Answer the distinct requests that nobody asked yet; everything is written down."""
        new: dict[tuple[Source, Mode], list[_Question]] = {}
        for request in dict.fromkeys(requests):
            who, how = _asked_of(source, request), _mode(request, mode)
            if (who.config, how, request) not in self._recorded:
                new.setdefault((who, how), []).append(_question(who, request, how))
        for (who, how), questions in new.items():
            self._ask(who, [q for q in questions if not self._resumed(who, q)], how)

    def _ask(self, source: Source, questions: list[_Question], mode: Mode) -> None:
        tokens, seconds = 0, 0.0
        for path in _files(source):
            self._unchanged.look(path)
        requests = [q.request for q in questions]
        width = 1 if source.reference_sha256 else copies(source.bytes)
        batch = self._pool.answer(source.config, requests, mode=mode, width=width)
        for done, (index, given) in enumerate(batch, start=1):
            answered = self._attributable(source, given)
            self._record(source, questions[index], answered, resumed=False)
            if isinstance(answered.answer, Generation):
                tokens += len(answered.answer.ids)
            seconds += answered.seconds
            if self._progress:
                rate = tokens / seconds if seconds else 0.0
                self._progress(source.cell, done, len(requests), rate)
        while self._pool.incidents:
            text = self._pool.incidents.pop(0)
            self._store.write({"type": "incident", "cell": source.cell, "text": text})

    def _attributable(self, source: Source, answered: Answered) -> Answered:
        """No answer is recorded under the hash of bytes that the file does not hold any more."""
        changed = [path.name for path in _files(source) if self._unchanged.changed(path)]
        if not changed or isinstance(answered.answer, Failure):
            return answered
        failure = Failure(
            cause="refused",
            reason=f"{changed[0]} was changed while it was in use: "
            "nobody can tell which bytes this is an answer of",
            remedy="run again, and let nothing write to the model meanwhile",
        )
        return Answered(answer=failure, seconds=answered.seconds)

    def _resumed(self, source: Source, question: _Question) -> bool:
        answered = self._earlier.take(question.key, self._store.arrays)
        if answered is not None:
            self._record(source, question, answered, resumed=True)
        return answered is not None

    def _record(
        self, source: Source, question: _Question, answered: Answered, *, resumed: bool
    ) -> None:
        place = source.config, question.mode, question.request
        self._recorded[place] = Recorded(key=question.key, answered=answered)
        self._store.write(
            {
                "type": "answer",
                "key": question.key,
                "cell": source.cell,
                "artifact_sha256": source.artifact_sha256,
                "engine": question.engine,
                "request": question.encoded,
                "answer": written(answered.answer),
                "seconds": answered.seconds,
                "resumed": resumed,
                "time": now("milliseconds"),
            }
        )


def _files(source: Source) -> list[Path]:
    config = source.config
    return [config.artifact] if config.reference is None else [config.artifact, config.reference]


@dataclass(frozen=True, slots=True)
class _Question:
    """A request on its way, with what evidence says of it."""

    request: Request
    mode: Mode
    encoded: dict[str, Any]
    engine: dict[str, Any]
    key: str


def _question(source: Source, request: Request, mode: Mode) -> _Question:
    encoded, engine = encode(request), _engine(source, request, mode)
    compared = (source.reference_sha256,) if isinstance(request, Comparison) else ()
    key = content_key(encoded, source.artifact_sha256, engine, *compared)
    return _Question(request, mode, encoded, engine, key)


def _asked_of(source: Source, request: Request) -> Source:
    """A measurement has a worker of its own: what it does to its process, no engine feels."""
    if not isinstance(request, Measure):
        return source
    return replace(source, config=replace(source.config, measurement=request.name))


def _mode(request: Request, mode: Mode) -> Mode:
    """Only generations are answered in batches."""
    return mode if isinstance(request, Generate) else "exact"


def _engine(source: Source, request: Request, mode: Mode) -> dict[str, Any]:
    """What besides request and artifact decides an answer."""
    ours = versions().get("pytest-modelqa", "")
    if isinstance(request, (Inspect, *STORED)):
        return {"name": "inspection", "build": ours, "settings": {}}
    if isinstance(request, Measure):
        build = f"{build_of_measurement(request.name)}, pytest-modelqa {ours}"
        return {"name": "measurement", "build": build, "settings": {}}
    config = source.config
    engine = {
        "name": config.engine,
        "build": f"{build_of(config.engine)}, pytest-modelqa {ours}",
        "settings": {
            "backend": config.backend,
            "n_ctx": config.n_ctx,
            "dtype": config.dtype,
            "mode": mode,
        },
    }
    if isinstance(request, Comparison):
        engine["reference"] = {
            "name": config.reference_engine,
            "build": build_of(config.reference_engine),
            "dtype": config.reference_dtype,
        }
    return engine


def now(precision: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
