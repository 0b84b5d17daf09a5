"""A process that holds candidates against one reference, with the checks of logits and of texts.

`python -m tests.checks.parity.measuring REFERENCE PLAN` prints one JSON object: by case the
verdict. A case names a candidate, a check and its parameters.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_modelqa.checks.parity.greedy import GreedyParity
from pytest_modelqa.checks.parity.logits import LogitsParity
from pytest_modelqa.core.check import is_adaptive
from pytest_modelqa.core.model import ArtifactSpec, Cell, Modality
from pytest_modelqa.core.wire import decode_answer, decode_request, encode

_CHECKS = {"logits": LogitsParity, "greedy": GreedyParity}
_N_CTX = 512


class Told(NamedTuple):
    """A verdict, and the answers that it was concluded from, as they are written."""

    outcome: str
    reason: str
    detail: str
    tested: int
    answers: dict[str, Any]


class Case(NamedTuple):
    """A candidate, the check (`logits` or `greedy`) and its parameters."""

    candidate: Path
    check: str
    parameters: Mapping[str, Any]
    quantization: str = "f16"
    modality: Modality = "chat"


def measured(reference: Path, cases: Mapping[str, Case]) -> dict[str, Told]:
    """Run the process below."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        plan.write_text(json.dumps({n: [str(c[0]), *c[1:]] for n, c in cases.items()}))
        done = subprocess.run(
            [sys.executable, "-m", "tests.checks.parity.measuring", reference, plan],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
        )
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return {name: Told(*values) for name, values in told.items()}


def main() -> None:
    """Open the reference once, and each candidate beside it."""
    from pytest_modelqa.engines.base import Settings

    reference, plan = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as arrays:
        settings = Settings(
            backend="cpu", threads=1, n_ctx=_N_CTX, arrays=Path(arrays), memory_bytes=1 << 28
        )
        second = _opened(reference, settings)
        told = {}
        for name, (path, *rest) in json.loads(plan.read_text()).items():
            first = _opened(Path(path), settings)
            told[name] = _told(Case(Path(path), *rest), first, second)
            first.close()
    sys.stdout.write(json.dumps(told) + "\n")


def _opened(path: Path, settings: Any) -> Any:
    from pytest_modelqa.engines import resolve

    _, engine = resolve("transformers" if path.is_dir() else "llamacpp")
    return engine.open(path, settings)


def _told(case: Case, candidate: Any, reference: Any) -> Told:
    """As the runtime does: requests, then follow-ups until there are none; all over the wire."""
    from pytest_modelqa.engines.pair import compare

    lists = {k: tuple(v) if isinstance(v, list) else v for k, v in case.parameters.items()}
    check: Any = _CHECKS[case.check](**lists)
    artifact = ArtifactSpec(model="m", format="gguf", quantization=case.quantization)
    cell = Cell(artifact=artifact, backend="cpu", modality=case.modality, engine="llamacpp")
    answers: dict[str, Any] = {}
    wanted = check.requests(cell)
    while wanted:
        for name, request in wanted.items():
            sent: Any = decode_request(json.loads(json.dumps(encode(request))))
            answer = compare(candidate, reference, sent)
            answers[name] = decode_answer(json.loads(json.dumps(encode(answer))))
        wanted = check.follow_up(cell, answers) if is_adaptive(check) else {}
    verdict = check.judge(answers)
    kept = {name: encode(answer) for name, answer in answers.items()}
    return Told(str(verdict.outcome), verdict.reason, verdict.detail, verdict.tested, kept)


if __name__ == "__main__":
    main()
