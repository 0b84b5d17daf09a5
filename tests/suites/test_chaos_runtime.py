"""What the faults of `suites/chaos` found in the runtime, small: each was red once."""

from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_modelqa.core.answer import Failure, Generation
from pytest_modelqa.core.errors import OutputError
from pytest_modelqa.core.request import Generate
from pytest_modelqa.runtime.answers import Answers, Source
from pytest_modelqa.runtime.earlier import Earlier
from pytest_modelqa.runtime.machine import address_space
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.process import _OUT_OF_MEMORY
from pytest_modelqa.runtime.protocol import WorkerConfig
from pytest_modelqa.runtime.store import Store, read
from pytest_modelqa.runtime.unchanged import Unchanged
from pytest_modelqa.runtime.worker import _failure


@contextmanager
def quota(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_for_a_moment_tears_no_line(tmp_path: Path) -> None:
    """The last record is written when there is room again; it must not end a torn line."""
    store = Store(tmp_path, "run")
    store.write({"type": "answer", "number": 0})
    with quota(100), pytest.raises(OutputError):
        store.write({"type": "answer", "number": 1, "text": "x" * 200})
    store.write({"type": "end"})
    store.close()
    assert [line["type"] for line in read([tmp_path])] == ["answer", "end"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_a_worker_that_cannot_write_does_not_blame_the_model(code: int) -> None:
    failure = _failure(OSError(code, os.strerror(code)))
    assert failure.cause == "unavailable"
    assert "--modelqa-report" in failure.remedy
    assert _failure(OSError(errno.EIO, "input/output error")).cause == "error"


@pytest.mark.parametrize(
    ("said", "memory"),
    [
        ("ggml_aligned_malloc: insufficient memory (attempted to allocate 64.00 MB)", True),
        ("terminate called after throwing an instance of 'std::bad_alloc'", True),
        ("GGML_ASSERT(n_tokens > 0) failed", False),
    ],
)
def test_an_abort_for_want_of_memory_is_told_from_others(said: str, memory: bool) -> None:
    assert bool(_OUT_OF_MEMORY.search(said)) is memory


def asked(folder: Path, script: Path, prompts: list[str], unchanged: Unchanged) -> list[object]:
    """The answers of a scripted model; `unchanged` saw it before."""
    config = WorkerConfig(
        engine="scripted",
        artifact=script,
        format="gguf",
        backend="cpu",
        threads=1,
        n_ctx=64,
        arrays=folder / "arrays",
        memory_bytes=address_space(None),
        cache_bytes=1 << 20,
    )
    source = Source(cell="c", artifact_sha256="0" * 64, bytes=1, config=config)
    store = Store(folder, "run")
    with Pool(logs=store.logs, load_timeout_s=60, request_timeout_s=60, request_floor_s=60) as pool:
        answers = Answers(pool, store, Earlier())
        answers._unchanged = unchanged
        requests = [Generate(prompt=prompt) for prompt in prompts]
        answers.ask(source, requests, "exact")
        found: list[object] = [answers.get(source, r, "exact").answered.answer for r in requests]
    store.close()
    return found


@pytest.mark.parametrize("harm", ["rewritten", "replaced", "grown"])
def test_an_answer_of_a_file_that_was_changed_is_refused(tmp_path: Path, harm: str) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"text": "fine"}))
    unchanged = Unchanged()
    unchanged.look(script)
    if harm == "replaced":
        (tmp_path / "other").write_text(script.read_text())
        (tmp_path / "other").replace(script)
    else:
        script.write_text(json.dumps({"text": "fine"}) + (" " if harm == "grown" else ""))
    (answer,) = asked(tmp_path, script, ["a"], unchanged)
    assert isinstance(answer, Failure)
    assert answer.cause == "refused"
    assert "script.json was changed while it was in use" in answer.reason


def test_an_answer_of_a_file_that_nobody_touched_is_one(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"text": "fine"}))
    script.read_text()
    for answer in asked(tmp_path, script, ["a", "b"], Unchanged()):
        assert isinstance(answer, Generation)


def test_a_folder_is_changed_by_any_of_its_files_and_not_by_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "model.safetensors").write_bytes(b"12345678")
    unchanged = Unchanged()
    unchanged.look(folder)
    assert not unchanged.changed(folder)
    (folder / ".hidden").write_text("no part of the model")
    assert not unchanged.changed(folder)
    (folder / "sub" / "model.safetensors").write_bytes(b"1234567")
    assert unchanged.changed(folder)
    unchanged.look(folder)
    assert unchanged.changed(folder), "the first look counts"
    for file in (folder / "config.json", folder / "sub" / "model.safetensors"):
        file.unlink()
    assert not unchanged.changed(folder), "who holds it, has it"
