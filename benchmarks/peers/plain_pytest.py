"""A plain pytest loop: one parametrised test, a model in a session's fixture, no plugin."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_cpp import Llama

JOB: dict[str, Any] = json.loads(Path(os.environ["BENCH_JOB"]).read_text("utf-8"))


@pytest.fixture(scope="session")
def texts() -> Iterator[list[str]]:
    """All answers, written down at the end."""
    made: list[str] = []
    yield made
    Path(JOB["out"]).write_text(json.dumps(made), encoding="utf-8")


@pytest.fixture(scope="session")
def llama() -> Llama:
    """The model, loaded once."""
    threads = JOB["threads"]
    return Llama(JOB["gguf"], n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False)


@pytest.mark.parametrize("prompt", JOB["prompts"])
def test_answers(prompt: str, llama: Llama, texts: list[str]) -> None:
    """The same question and the same oracle as ours: any answer passes."""
    answer = llama.create_chat_completion(
        [{"role": "user", "content": prompt}],
        temperature=0.0,
        repeat_penalty=1.0,
        max_tokens=JOB["max_tokens"],
    )
    texts.append(answer["choices"][0]["message"]["content"])
    assert len(texts[-1].split()) >= 0
