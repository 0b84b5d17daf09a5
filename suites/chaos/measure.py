"""Faults around a playbook's own model: `measure` is what a `chaos:` block runs in a worker.

Pool, workers, evidence and the model are the real ones; the engine is its own, and can be struck.
Three prompts are asked, one of them the victim; what became of it, and of the others, is the row's
`outcome`. A row tells no verdict.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import Any

from pytest_modelqa.artifacts.hashing import size_of
from pytest_modelqa.core.answer import Answer, Failure, Generation
from pytest_modelqa.core.errors import OutputError, Unavailable, UsageError
from pytest_modelqa.core.request import Generate
from pytest_modelqa.core.wire import decode_answer
from pytest_modelqa.runtime.answers import Answers, Source
from pytest_modelqa.runtime.earlier import Earlier
from pytest_modelqa.runtime.machine import address_space, cache_bytes
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.protocol import WorkerConfig
from pytest_modelqa.runtime.store import SUFFIX, Store, read
from suites.chaos.launching import ROOT, site
from suites.chaos.naming import AT, BLOWS, GO, HERE, MARK, MEETING
from suites.chaos.observing import Line, duplicated, marked

Row = dict[str, str | int | float | bool | None]
Option = str | int | float | bool
Harm = Callable[[Path, int], None]

PROMPTS = ("The capital of France is", "Water is made of", "The opposite of hot is")
_TOKENS = 8
_LOAD_S, _REQUEST_S, _LEAST_S = 600.0, 300.0, 2.0
_PATIENCE = 20.0
"""A hang is what takes so many times as long as the slowest healthy answer."""

_POLL_S = 0.01
_TRIAL, _HEALTHY = "trial", "healthy"
"""Name of the evidence of a trial, and of the folder of the one without a fault."""

NOBODY_MET = "nobody met the worker"
"""Outcome of harm from outside that was not done: it decides nothing, and nothing is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of the three prompts. `answers` are those of its evidence, None where none is.

    `ended` says why it stopped early, `left` what it lost, wrote twice or left running. `met` is
    false where harm was to be done and was not. `slowest_s` is what the slowest answer took.
    """

    answers: tuple[Answer | None, ...]
    ended: str = ""
    left: str = ""
    met: bool = True
    slowest_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The model, a folder for what is written, which prompt is the victim, and a healthy run."""

    artifact: Path
    folder: Path
    victim: int
    healthy: Trial | None = None


def measure(artifact: Path, options: Mapping[str, Option]) -> list[Row]:
    """One row for each fault in option `faults` (names with commas; all where it is empty).

    Option `seed` chooses the victim. Raises UsageError (no such fault), Unavailable (a format that
    no engine opens, no answer without any fault, no room for a copy).
    """
    names = [name for name in str(options.get("faults", "")).split(",") if name] or list(FAULTS)
    if unknown := [name for name in names if name not in FAULTS]:
        raise UsageError(f"no fault is called {unknown[0]!r}", remedy=f"one of {', '.join(FAULTS)}")
    with TemporaryDirectory(prefix="modelqa-chaos-") as folder, _engines(Path(folder)):
        subject = _healthy(
            Subject(
                artifact=artifact,
                folder=Path(folder),
                victim=int(options.get("seed", 0)) % len(PROMPTS),
            )
        )
        return [_row(name, subject) for name in names]


def _row(name: str, subject: Subject) -> Row:
    expected, fault = FAULTS[name]
    start = time.perf_counter()
    outcome = fault(replace(subject, folder=subject.folder / name))
    seconds = time.perf_counter() - start
    expected = "" if outcome == NOBODY_MET else expected
    return {"name": name, "outcome": outcome, "expected": expected, "seconds": seconds}


def _healthy(subject: Subject) -> Subject:
    trial = _tried(replace(subject, folder=subject.folder / _HEALTHY))
    if bad := [a for a in trial.answers if not isinstance(a, Generation)]:
        raise Unavailable(f"the model does not answer without any fault: {bad[0]}")
    return replace(subject, healthy=trial)


def _kill_worker(subject: Subject) -> str:
    return _told(subject, _tried(subject, "meet", harm=lambda _, pid: os.kill(pid, SIGKILL)))


def _hang_worker(subject: Subject) -> str:
    assert subject.healthy is not None
    limit = max(_LEAST_S, _PATIENCE * subject.healthy.slowest_s)
    return _told(subject, _tried(subject, "hang", request_s=limit))


def _out_of_memory(subject: Subject) -> str:
    return _told(subject, _tried(subject, "exhaust"))


def _truncated_file(subject: Subject) -> str:
    copied, file = _copy(subject)
    os.truncate(file, file.stat().st_size // 2)
    return _told(subject, _tried(copied))


def _corrupt_file(subject: Subject) -> str:
    """Bytes in the middle of the file change while the model is open."""
    copied, file = _copy(subject)

    def flip(_: Path, __: int) -> None:
        with file.open("r+b") as stream:
            stream.seek(file.stat().st_size // 2)
            data = stream.read(1 << 16)
            stream.seek(-len(data), os.SEEK_CUR)
            stream.write(bytes(byte ^ 0x40 for byte in data))

    return _told(subject, _tried(replace(copied, victim=0), "meet", harm=flip))


def _disk_full(subject: Subject) -> str:
    """No file may grow beyond one answer and half of the next, as a healthy run wrote them."""
    healthy = subject.folder.with_name(_HEALTHY) / f"{_TRIAL}{SUFFIX}"
    first, second, *_ = healthy.read_bytes().splitlines(keepends=True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(first) + len(second) // 2, before[1]))
    try:
        return _told(subject, _tried(subject))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


FAULTS: dict[str, tuple[str, Callable[[Subject], str]]] = {
    "kill_worker": ("victim answered, others as before", _kill_worker),
    "hang_worker": ("victim timeout, others as before", _hang_worker),
    "out_of_memory": ("victim crashed, others as before", _out_of_memory),
    "truncated_file": ("victim refused, others refused", _truncated_file),
    "corrupt_file": ("victim refused, others refused", _corrupt_file),
    "disk_full": ("stopped by an output error, evidence whole", _disk_full),
}
"""By name: the outcome that is expected, and what is done."""


def _tried(
    subject: Subject, blow: str = "", *, harm: Harm | None = None, request_s: float = _REQUEST_S
) -> Trial:
    """Ask the three prompts, one after the other; the victim is struck, or harmed from outside."""
    subject.folder.mkdir()
    mark = secrets.token_hex(8)
    blows = {PROMPTS[subject.victim]: blow} if blow else {}
    given = {
        AT: "1",
        MARK: mark,
        MEETING: str(subject.folder),
        BLOWS: json.dumps(blows),
    }
    store = Noting(subject.folder, _TRIAL)
    harming = _harming(subject, harm)
    with _environment(given), harming as harmed, _pool(store, request_s) as pool:
        ended = _asked(Answers(pool, store, Earlier()), _source(subject, store))
    store.close()
    trial = kept(list(read([subject.folder])), store.returned)
    left = "; ".join([*filter(None, [trial.left]), *marked(mark)])
    return replace(trial, ended=ended, left=left, met=harm is None or harmed.is_set())


class Noting(Store):
    """Knows the prompts of the answers whose writing returned: these nobody may lose again."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder, name)
        self.returned: list[str] = []

    def write(self, record: dict[str, Any]) -> None:
        """Append one record as one line."""
        super().write(record)
        if record["type"] == "answer":
            self.returned.append(record["request"]["prompt"])


def kept(lines: Sequence[Line], returned: Sequence[str]) -> Trial:
    """The trial whose evidence these lines are; `returned` are the prompts that must be there."""
    found = {line["request"]["prompt"]: line for line in lines if line["type"] == "answer"}
    lost = [f"no evidence of {prompt!r}" for prompt in returned if prompt not in found]
    return Trial(
        answers=tuple(decode_answer(found[p]["answer"]) if p in found else None for p in PROMPTS),
        left="; ".join([*lost, *duplicated(lines)]),
        slowest_s=max((line["seconds"] for line in found.values()), default=0.0),
    )


def _asked(answers: Answers, source: Source) -> str:
    """How the run ended before everything was answered; empty where it did not."""
    requests = [Generate(prompt=prompt, max_tokens=_TOKENS) for prompt in PROMPTS]
    try:
        answers.ask(source, requests, "exact")
    except OutputError:
        return "stopped by an output error"
    return ""


def _told(subject: Subject, trial: Trial) -> str:
    """What became of the victim and of the others, in words that two runs share."""
    assert subject.healthy is not None
    same = [_fate(a, b) for a, b in zip(trial.answers, subject.healthy.answers, strict=True)]
    if trial.ended:
        whole = not trial.left and {fate for fate in same if fate != "nothing"} == {"answered"}
        told = f"{trial.ended}, evidence {'whole' if whole else 'damaged'}"
    elif not trial.met:
        told = NOBODY_MET
    else:
        victim = same.pop(subject.victim)
        (others, *more) = sorted({"as before" if fate == "answered" else fate for fate in same})
        told = f"victim {victim}, others {' or '.join([others, *more])}"
    return f"{told}; left: {trial.left}" if trial.left else told


def _fate(answer: Answer | None, healthy: Answer | None) -> str:
    """One word for what came, held against the answer of a healthy run."""
    if answer is None:
        return "nothing"
    if isinstance(answer, Failure):
        return answer.cause
    assert isinstance(answer, Generation)
    assert isinstance(healthy, Generation)
    return "answered" if answer.ids == healthy.ids else "answered otherwise"


def _source(subject: Subject, store: Store) -> Source:
    folder = subject.artifact.is_dir()
    config = WorkerConfig(
        engine="struck-transformers" if folder else "struck",
        artifact=subject.artifact,
        format="safetensors" if folder else "gguf",
        backend="cpu",
        threads=1,
        n_ctx=256,
        arrays=store.arrays,
        memory_bytes=address_space(None),
        cache_bytes=cache_bytes(),
    )
    return Source(
        cell="chaos",
        artifact_sha256="not needed: these answers are compared, and thrown away",
        bytes=size_of(subject.artifact),
        config=config,
    )


def _pool(store: Store, request_s: float) -> Pool:
    return Pool(
        logs=store.logs,
        load_timeout_s=_LOAD_S,
        request_timeout_s=request_s,
        request_floor_s=min(request_s, _REQUEST_S),
    )


def _copy(subject: Subject) -> tuple[Subject, Path]:
    """The subject with a copy of the model that may be spoilt, and the largest file of it."""
    target = subject.folder.with_name(f"{subject.folder.name}-{subject.artifact.name}")
    need, free = size_of(subject.artifact), shutil.disk_usage(target.parent).free
    if need > free:
        raise Unavailable(
            f"a copy of the model takes {need:,} bytes, {free:,} are free in {target.parent}",
            remedy="set TMPDIR to a folder on a larger disk",
        )
    if subject.artifact.is_dir():
        shutil.copytree(subject.artifact, target)
    else:
        shutil.copyfile(subject.artifact, target)
    files = [*target.rglob("*.safetensors")] if target.is_dir() else [target]
    return replace(subject, artifact=target), max(files, key=lambda file: file.stat().st_size)


@contextmanager
def _harming(subject: Subject, harm: Harm | None) -> Iterator[threading.Event]:
    """Do the harm when a worker is in the middle of the victim, then let it go on.

    The event is set when it is done; it stays unset where nobody came to the meeting.
    """
    here, go = subject.folder / HERE, subject.folder / GO
    over, harmed = threading.Event(), threading.Event()

    def wait() -> None:
        while not here.exists():
            if over.wait(_POLL_S):
                return
        try:
            if harm:
                harm(subject.artifact, int(here.read_text()))
                harmed.set()
        finally:
            go.touch()

    agent = threading.Thread(target=wait)
    agent.start()
    try:
        yield harmed
    finally:
        over.set()
        agent.join()


@contextmanager
def _engines(folder: Path) -> Iterator[None]:
    """The struck engines, known to this process and to the workers that it starts."""
    path = str(site(folder))
    sys.path.insert(0, path)
    paths = [path, str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        with _environment({"PYTHONPATH": os.pathsep.join(paths)}):
            yield
    finally:
        sys.path.remove(path)


@contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
