"""llama-cpp-python as most people call it: `Llama.create_chat_completion`, one prompt at a time.

Greedy, and `repeat_penalty` 1.0 spelt out, as its default changes greedy answers. Prints a JSON
object.
"""

from __future__ import annotations

import argparse
import json
from time import perf_counter

from llama_cpp import Llama

from benchmarks.prompts import MAX_TOKENS, prompts


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    for name in ("count", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    args = parser.parse_args()
    start = perf_counter()
    llama = Llama(
        args.model,
        n_ctx=2048,
        n_threads=args.threads,
        n_threads_batch=args.threads,
        verbose=False,
    )
    loaded = perf_counter()
    texts, tokens = [], 0
    for prompt in prompts(args.count):
        answer = llama.create_chat_completion(
            [{"role": "user", "content": prompt}],
            temperature=0.0,
            repeat_penalty=1.0,
            max_tokens=MAX_TOKENS,
        )
        texts.append(answer["choices"][0]["message"]["content"])
        tokens += answer["usage"]["completion_tokens"]
    seconds = perf_counter() - loaded
    row = {"load_s": loaded - start, "answering_s": seconds, "tokens": tokens, "texts": texts}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
