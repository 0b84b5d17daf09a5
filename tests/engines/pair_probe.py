"""A process that opens both engines on one model and says what their chunks of logits are.

`python -m tests.engines.pair_probe FOLDER GGUF` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 7
TEXT = "What is the capital of France? And what day comes after Monday?"


def main() -> None:
    """Open both, compare each with itself in chunks, and with the other on two tokenizers."""
    from pytest_modelqa.core.comparison.logits import Attribute, MeasureNoise
    from pytest_modelqa.core.wire import encode
    from pytest_modelqa.engines import resolve
    from pytest_modelqa.engines.base import Settings
    from pytest_modelqa.engines.pair import compare

    folder, file = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as arrays:
        settings = Settings(
            backend="cpu", threads=1, n_ctx=256, arrays=Path(arrays), memory_bytes=1 << 28
        )
        reference: Any = resolve("transformers")[1].open(folder, settings)
        candidate: Any = resolve("llamacpp")[1].open(file, settings)
        told: dict[str, Any] = {}
        for name, engine in (("transformers", reference), ("llamacpp", candidate)):
            with engine.computing():
                told[name] = _chunked(engine)
        told["noise"] = encode(compare(candidate, reference, MeasureNoise(text=TEXT)))
        told["threads"] = [e.describe().threads for e in (reference, candidate)]
        _ByLetters.wrap(candidate)
        told["attributed"] = encode(compare(candidate, reference, Attribute(text=TEXT)))
    sys.stdout.write(json.dumps(told) + "\n")


class _ByLetters:
    """A tokenizer defect: the engine splits every text into its letters."""

    @staticmethod
    def wrap(engine: Any) -> None:
        whole = engine.tokenize

        def tokenize(text: str, **how: Any) -> list[int]:
            return [i for letter in text for i in whole(letter, **{**how, "begin": False})]

        engine.tokenize = tokenize


def _chunked(engine: Any) -> dict[str, Any]:
    ids = engine.tokenize(TEXT, begin=True, special=True)
    whole = engine.logits(ids)
    chunks = [*engine.logits_in(ids, ROWS)]
    return {
        "ids": len(ids),
        "rows": [len(c) for c in chunks],
        "width": chunks[0].shape[1],
        "apart": float(np.abs(np.concatenate(chunks) - whole).max()),
        "top1": bool((np.concatenate(chunks).argmax(-1) == whole.argmax(-1)).all()),
    }


if __name__ == "__main__":
    main()
