"""Workers die in every way that native code knows; the guilty request alone pays."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.core.answer import Answer, Failure, Generation
from pytest_modelqa.core.request import Describe, Generate, Request
from pytest_modelqa.runtime.machine import address_space
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.protocol import WorkerConfig


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with Pool(logs=tmp_path / "logs", load_timeout_s=30, request_timeout_s=2, silence_s=20) as made:
        yield made


def config(tmp_path: Path, memory_bytes: int = 0, **script: Any) -> WorkerConfig:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"text": "fine", **script}))
    return WorkerConfig(
        engine="scripted",
        artifact=path,
        format="gguf",
        backend="cpu",
        threads=1,
        n_ctx=512,
        arrays=tmp_path / "arrays",
        memory_bytes=memory_bytes or address_space(None),
        channel=-1,
    )


def ask(*prompts: str) -> list[Request]:
    return [Generate(prompt=p) for p in prompts]


def answers(pool: Pool, made: WorkerConfig, requests: list[Request]) -> list[Answer]:
    got = dict(pool.answer(made, requests))
    assert sorted(got) == list(range(len(requests))), "each request is answered exactly once"
    return [got[i].answer for i in range(len(requests))]


def test_a_healthy_batch_is_answered(pool: Pool, tmp_path: Path) -> None:
    for answer in answers(pool, config(tmp_path), ask("a", "b", "c")):
        assert isinstance(answer, Generation)
        assert answer.text == "fine"


@pytest.mark.parametrize(
    ("do", "kind", "why"),
    [
        ("segfault", "crashed", "SIGSEGV"),
        ("abort", "crashed", "SIGABRT"),
        ("kill", "crashed", "SIGKILL"),
        ("exit", "crashed", "exit code 3"),
        ("garble", "crashed", "garbage instead of the protocol"),
        ("raise", "error", "RuntimeError"),
        ("hang", "timeout", "no answer within 2 s"),
        ("stop", "timeout", "no answer within 2 s"),
    ],
)
def test_the_guilty_request_alone_pays(
    pool: Pool, tmp_path: Path, do: str, kind: str, why: str
) -> None:
    made = config(tmp_path, rules=[{"match": "boom", "do": do}])
    got = answers(pool, made, ask("a", "boom", "c"))
    assert isinstance(got[0], Generation)
    assert isinstance(got[2], Generation)
    assert isinstance(got[1], Failure)
    assert got[1].cause == kind
    assert why in got[1].reason


def test_a_segfault_brings_faulthandlers_trace(pool: Pool, tmp_path: Path) -> None:
    made = config(tmp_path, rules=[{"match": "boom", "do": "segfault"}])
    (got,) = answers(pool, made, ask("boom"))
    assert isinstance(got, Failure)
    assert "Segmentation fault" in got.detail
    assert "_misbehave" in got.detail


def test_memory_beyond_the_limit_is_a_crash_and_no_more(tmp_path: Path) -> None:
    made = config(tmp_path, memory_bytes=2 << 30, rules=[{"match": "boom", "do": "oom"}])
    with Pool(logs=tmp_path / "logs", load_timeout_s=30, request_timeout_s=30) as pool:
        got = answers(pool, made, ask("a", "boom", "c"))
    assert isinstance(got[1], Failure)
    assert got[1].cause == "crashed"
    assert "memory" in got[1].reason
    assert isinstance(got[0], Generation)
    assert isinstance(got[2], Generation)


@pytest.mark.parametrize("load", ["abort", "segfault", "exit"])
def test_a_model_that_kills_while_loading_fails_all_and_is_tried_once(
    pool: Pool, tmp_path: Path, load: str
) -> None:
    made = config(tmp_path, load=load)
    for got in (*answers(pool, made, ask("a", "b")), *answers(pool, made, ask("c"))):
        assert isinstance(got, Failure)
        assert got.cause == "crashed"
        assert "while loading" in got.reason
    assert len(list((tmp_path / "logs").iterdir())) == 1


def test_a_hang_while_loading_is_a_timeout(tmp_path: Path) -> None:
    made = config(tmp_path, load="hang")
    with Pool(logs=tmp_path / "logs", load_timeout_s=3, request_timeout_s=2) as pool:
        (got,) = answers(pool, made, ask("a"))
    assert isinstance(got, Failure)
    assert got.cause == "timeout"
    assert "while loading" in got.reason


def test_a_refusal_is_no_crash(pool: Pool, tmp_path: Path) -> None:
    (got,) = answers(pool, config(tmp_path, load="refuse"), [Describe()])
    assert isinstance(got, Failure)
    assert got.cause == "refused"


def test_a_worker_killed_between_batches_is_replaced(pool: Pool, tmp_path: Path) -> None:
    made = config(tmp_path)
    assert isinstance(answers(pool, made, ask("a"))[0], Generation)
    (pid,) = worker_pids(pool)
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert isinstance(answers(pool, made, ask("b"))[0], Generation)


def test_closing_leaves_no_process(tmp_path: Path) -> None:
    with Pool(logs=tmp_path / "logs", load_timeout_s=30, request_timeout_s=5) as pool:
        answers(pool, config(tmp_path), ask("a"))
        (pid,) = worker_pids(pool)
    assert not alive(pid)


def test_abandoning_a_batch_ends_its_worker(tmp_path: Path) -> None:
    """Ctrl-C arrives as an exception in the middle of the generator."""
    made = config(tmp_path, rules=[{"match": "boom", "do": "hang"}])
    with Pool(logs=tmp_path / "logs", load_timeout_s=30, request_timeout_s=60) as pool:
        batch = pool.answer(made, ask("a", "boom"))
        next(batch)
        (pid,) = worker_pids(pool)
        with pytest.raises(KeyboardInterrupt):
            batch.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
        assert not alive(pid)


def test_no_more_models_stay_loaded_than_allowed(tmp_path: Path) -> None:
    with Pool(
        logs=tmp_path / "l", load_timeout_s=30, request_timeout_s=5, max_loaded_models=1
    ) as pool:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            answers(pool, config(tmp_path / name), ask("a"))
            assert len(worker_pids(pool)) == 1


def worker_pids(pool: Pool) -> list[int]:
    return [w.process.pid for w in pool._workers.values()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
