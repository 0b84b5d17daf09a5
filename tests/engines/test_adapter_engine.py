"""The engine of adapters: what it answers is what the merged model answers, and not the base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pytest_modelqa.core.answer import Generation, Logits
from pytest_modelqa.core.model import Format
from pytest_modelqa.core.request import Generate, Message, Request, ScoreLogits
from pytest_modelqa.engines import DEFAULT_ENGINE
from pytest_modelqa.runtime.machine import address_space, cache_bytes, threads_per_worker
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.protocol import WorkerConfig

ASKED: Sequence[Request] = (
    ScoreLogits(text="Write a TRON decision about the search."),
    Generate(messages=(Message(role="user", content="Run npm install."),), max_tokens=24),
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    logs = tmp_path_factory.mktemp("logs")
    return Pool(logs=logs, load_timeout_s=120, request_floor_s=60, request_timeout_s=60)


def said(pool: Pool, artifact: Path, form: Format, arrays: Path) -> tuple[np.ndarray, str]:
    """Logits of the text, and the greedy answer."""
    config = WorkerConfig(
        engine=DEFAULT_ENGINE[form],
        artifact=artifact,
        format=form,
        backend="cpu",
        threads=threads_per_worker(),
        n_ctx=256,
        arrays=arrays,
        memory_bytes=address_space(None),
        cache_bytes=cache_bytes(),
    )
    with pool:
        answers = dict(pool.answer(config, list(ASKED)))
    scored, generated = (answers[i].answer for i in range(len(ASKED)))
    assert isinstance(scored, Logits), scored
    assert isinstance(generated, Generation), generated
    return load_file(arrays.parent / scored.file)["logits"], generated.text


@pytest.mark.nightly
def test_an_adapter_answers_as_merged_and_not_as_its_base(
    pool: Pool, trained_adapter: Path, merged_model: Path, base_model: Path, tmp_path: Path
) -> None:
    adapted, text = said(pool, trained_adapter, "adapter", tmp_path / "a")
    merged, same = said(pool, merged_model, "safetensors", tmp_path / "m")
    base, _ = said(pool, base_model, "safetensors", tmp_path / "b")
    assert text == same
    apart = float(np.abs(adapted - merged).max())
    moved = float(np.abs(adapted - base).max())
    assert moved > 1000 * apart, (apart, moved)
