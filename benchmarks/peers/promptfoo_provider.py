"""promptfoo's provider: a Python worker that keeps llama-cpp-python's model between calls."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from llama_cpp import Llama


@cache
def _job() -> dict[str, Any]:
    return dict(json.loads(Path(os.environ["BENCH_JOB"]).read_text("utf-8")))


@cache
def _llama() -> Llama:
    threads = _job()["threads"]
    return Llama(
        _job()["gguf"], n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False
    )


def call_api(prompt: str, _options: Any, _context: Any) -> dict[str, Any]:
    """Answer one prompt, as promptfoo asks for it."""
    answer = _llama().create_chat_completion(
        [{"role": "user", "content": prompt}],
        temperature=0.0,
        repeat_penalty=1.0,
        max_tokens=_job()["max_tokens"],
    )
    return {"output": answer["choices"][0]["message"]["content"]}
