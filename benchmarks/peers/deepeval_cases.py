"""deepeval: test cases made with llama-cpp-python, judged by a metric that asks no other model."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from deepeval import evaluate
from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig
from deepeval.metrics import BaseMetric
from deepeval.test_case import LLMTestCase
from llama_cpp import Llama


class Length(BaseMetric):
    """At least no words: any answer passes, as with our oracle."""

    def __init__(self) -> None:
        self.threshold = 0.5
        self.async_mode = False
        self.include_reason = False

    def measure(self, test_case: LLMTestCase, *_: Any, **__: Any) -> float:
        """One, unless the answer has fewer than no words."""
        self.score = float(len(test_case.actual_output.split()) >= 0)
        self.success = self.score >= self.threshold
        return self.score

    async def a_measure(self, test_case: LLMTestCase, *_: Any, **__: Any) -> float:
        """The same."""
        return self.measure(test_case)

    def is_successful(self) -> bool:
        """What `measure` found."""
        return bool(self.success)

    @property
    def __name__(self) -> str:
        return "Length"


def main() -> None:
    """Answer all prompts, then judge them."""
    job = json.loads(Path(os.environ["BENCH_JOB"]).read_text("utf-8"))
    threads = job["threads"]
    llama = Llama(
        job["gguf"], n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False
    )
    cases = []
    for prompt in job["prompts"]:
        answer = llama.create_chat_completion(
            [{"role": "user", "content": prompt}],
            temperature=0.0,
            repeat_penalty=1.0,
            max_tokens=job["max_tokens"],
        )
        text = answer["choices"][0]["message"]["content"]
        cases.append(LLMTestCase(input=prompt, actual_output=text))
    evaluate(
        test_cases=cases,
        metrics=[Length()],
        async_config=AsyncConfig(run_async=False),
        display_config=DisplayConfig(show_indicator=False, print_results=False),
        cache_config=CacheConfig(write_cache=False, use_cache=False),
    )
    Path(job["out"]).write_text(json.dumps([c.actual_output for c in cases]), encoding="utf-8")


if __name__ == "__main__":
    main()
