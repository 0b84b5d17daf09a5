"""A process that compares candidates with one reference: the engines stay out of pytest's process.

`python -m tests.checks.parity.asking REFERENCE CANDIDATE...` prints one JSON object: by candidate
and check the outcome, the reason, the detail, and how many rounds were asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pytest_modelqa.checks.parity.template import TemplateParity
from pytest_modelqa.checks.parity.tokenizer import TokenizerParity
from pytest_modelqa.core.check import is_adaptive
from pytest_modelqa.core.model import ArtifactSpec, Cell
from pytest_modelqa.core.wire import decode_answer, decode_request, encode

CHECKS = (TokenizerParity(drawn=60), TemplateParity())
CELL = Cell(
    artifact=ArtifactSpec(model="m", format="gguf", quantization="f16"),
    backend="cpu",
    modality="chat",
    engine="llamacpp",
)

Told = dict[str, dict[str, dict[str, Any]]]


def asked(reference: Path, *candidates: Path) -> Told:
    """Run the process below."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.checks.parity.asking", reference, *candidates],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    """Open the reference once, and each candidate beside it."""
    from pytest_modelqa.engines.base import Settings

    reference, *candidates = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as arrays:
        settings = Settings(
            backend="cpu", threads=1, n_ctx=256, arrays=Path(arrays), memory_bytes=1 << 28
        )
        second = _opened(reference, settings)
        told = {}
        for candidate in candidates:
            first = _opened(candidate, settings)
            told[str(candidate)] = {c.name: _judged(c, first, second) for c in CHECKS}
            first.close()
    sys.stdout.write(json.dumps(told) + "\n")


def _opened(path: Path, settings: Any) -> Any:
    from pytest_modelqa.engines import resolve

    _, engine = resolve("transformers" if path.is_dir() else "llamacpp")
    return engine.open(path, settings)


def _judged(check: Any, candidate: Any, reference: Any) -> dict[str, Any]:
    """As the runtime does: requests, then follow-ups until there are none; all over the wire."""
    from pytest_modelqa.engines.pair import compare

    answers: dict[str, Any] = {}
    wanted, rounds = check.requests(CELL), 0
    while wanted:
        rounds += 1
        for name, request in wanted.items():
            sent = decode_request(json.loads(json.dumps(encode(request))))
            answer = compare(candidate, reference, sent)  # type: ignore[arg-type]
            answers[name] = decode_answer(json.loads(json.dumps(encode(answer))))
        wanted = check.follow_up(CELL, answers) if is_adaptive(check) else {}
    verdict = check.judge(answers)
    return {
        "outcome": str(verdict.outcome),
        "reason": verdict.reason,
        "detail": verdict.detail,
        "tested": verdict.tested,
        "rounds": rounds,
    }


if __name__ == "__main__":
    main()
