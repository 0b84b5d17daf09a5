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
from pytest_modelqa.core.model import Mode
from pytest_modelqa.core.request import Describe, Generate, Request
from pytest_modelqa.runtime.machine import address_space
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.protocol import WorkerConfig


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with Pool(
        logs=tmp_path / "logs",
        load_timeout_s=30,
        request_floor_s=2,
        request_timeout_s=2,
        silence_s=20,
    ) as made:
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
        cache_bytes=1 << 30,
    )


def ask(*prompts: str) -> list[Request]:
    return [Generate(prompt=p) for p in prompts]


def answers(
    pool: Pool, made: WorkerConfig, requests: list[Request], mode: Mode = "exact", width: int = 1
) -> list[Answer]:
    got = dict(pool.answer(made, requests, mode=mode, width=width))
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
        ("kill", "crashed", "SIGKILL from outside"),
        ("oom", "crashed", "out of memory: the limit"),
        ("exit", "crashed", "exit code 3"),
        ("garble", "crashed", "garbage instead of the protocol"),
        ("raise", "error", "RuntimeError"),
        ("hang", "timeout", "no answer within 2 s"),
        ("stop", "timeout", "no answer within 2 s"),
    ],
)
@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_the_guilty_request_alone_pays(
    pool: Pool, tmp_path: Path, mode: Mode, do: str, kind: str, why: str
) -> None:
    """In mode fast eight are under way when it happens: halving finds the one."""
    made = config(tmp_path, memory_bytes=1 << 30, rules=[{"match": "boom", "do": do}])
    prompts = [f"p{i}" for i in range(19)]
    prompts[11] = "boom"
    got = answers(pool, made, ask(*prompts), mode)
    for index, answer in enumerate(got):
        assert isinstance(answer, Failure if index == 11 else Generation)
    guilty = got[11]
    assert isinstance(guilty, Failure)
    assert guilty.cause == kind
    assert why in guilty.reason
    assert not pool.incidents, "every death is explained by the one that was blamed"


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_several_guilty_requests_are_each_found(pool: Pool, tmp_path: Path, mode: Mode) -> None:
    made = config(tmp_path, rules=[{"match": "boom", "do": "segfault"}])
    prompts = ["boom 1" if i in (2, 3, 9) else f"p{i}" for i in range(12)]
    prompts[3], prompts[9] = "boom 2", "boom 3"
    failed = [isinstance(a, Failure) for a in answers(pool, made, ask(*prompts), mode)]
    assert [i for i, bad in enumerate(failed) if bad] == [2, 3, 9]


def test_a_model_that_dies_of_everything_is_given_up(pool: Pool, tmp_path: Path) -> None:
    made = config(tmp_path, rules=[{"match": "", "do": "exit"}])
    got = answers(pool, made, ask(*(f"p{i}" for i in range(40))))
    reasons = [a.reason for a in got if isinstance(a, Failure)]
    assert len(reasons) == 40
    assert sum("not tried: 8 requests in a row" in r for r in reasons) == 32
    assert len(list((tmp_path / "logs").iterdir())) == 8


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_a_kill_from_outside_blames_nobody(pool: Pool, tmp_path: Path, mode: Mode) -> None:
    """Somebody's `kill -9` in the middle of a batch costs time, no verdict."""
    made = config(tmp_path, rules=[{"match": "slow", "do": "kill once", "text": "fine"}])
    got = answers(pool, made, ask("a", "b", "slow", "c"), mode)
    assert all(isinstance(a, Generation) for a in got)
    (incident,) = pool.incidents
    assert "SIGKILL from outside" in incident


def test_workers_share_exact_requests(pool: Pool, tmp_path: Path) -> None:
    got = answers(pool, config(tmp_path), ask(*(f"p{i}" for i in range(40))), width=2)
    assert all(isinstance(a, Generation) for a in got)
    assert len(worker_pids(pool)) == 2


def test_a_death_beside_others_costs_only_its_own_request(pool: Pool, tmp_path: Path) -> None:
    made = config(tmp_path, rules=[{"match": "boom", "do": "segfault"}])
    prompts = ["boom" if i == 25 else f"p{i}" for i in range(40)]
    failed = [isinstance(a, Failure) for a in answers(pool, made, ask(*prompts), width=2)]
    assert [i for i, bad in enumerate(failed) if bad] == [25]


def test_a_segfault_brings_faulthandlers_trace(pool: Pool, tmp_path: Path) -> None:
    made = config(tmp_path, rules=[{"match": "boom", "do": "segfault"}])
    (got,) = answers(pool, made, ask("boom"))
    assert isinstance(got, Failure)
    assert "Segmentation fault" in got.detail
    assert "_misbehave" in got.detail


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
    with Pool(
        logs=tmp_path / "logs", load_timeout_s=3, request_floor_s=1, request_timeout_s=2
    ) as pool:
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
    with Pool(
        logs=tmp_path / "logs", load_timeout_s=30, request_floor_s=1, request_timeout_s=5
    ) as pool:
        answers(pool, config(tmp_path), ask("a"))
        (pid,) = worker_pids(pool)
    assert not alive(pid)


def test_abandoning_a_batch_ends_its_worker(tmp_path: Path) -> None:
    """Ctrl-C arrives as an exception in the middle of the generator."""
    made = config(tmp_path, rules=[{"match": "boom", "do": "hang"}])
    with Pool(
        logs=tmp_path / "logs", load_timeout_s=30, request_floor_s=1, request_timeout_s=60
    ) as pool:
        batch = pool.answer(made, ask("a", "boom"))
        next(batch)
        (pid,) = worker_pids(pool)
        with pytest.raises(KeyboardInterrupt):
            batch.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
        assert not alive(pid)


def test_no_more_models_stay_loaded_than_allowed(tmp_path: Path) -> None:
    with Pool(
        logs=tmp_path / "l",
        load_timeout_s=30,
        request_floor_s=1,
        request_timeout_s=5,
        max_loaded_models=1,
    ) as pool:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            answers(pool, config(tmp_path / name), ask("a"))
            assert len(worker_pids(pool)) == 1


def worker_pids(pool: Pool) -> list[int]:
    return [w.process.pid for crew in pool._crews.values() for w in crew]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
