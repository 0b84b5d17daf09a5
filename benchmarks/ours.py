"""Our side of every comparison: the real command, `pytest --playbook FILE --modelqa-report DIR`.

The playbook asks the same prompts as explicit scenarios whose oracle accepts any answer. What the
run costs is seen from outside: the seconds of the command, and the moments at which the lines of
the evidence file appear. `answering_s` runs from the last line before the first scenario's answer
to the last scenario's answer; everything else (start-up, hashing, loading, gateways, the batching
gate, reports) is the difference to `wall_s`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, NamedTuple

from benchmarks.measuring import LONGEST_S, Measured, NotMeasured, environment, last_words
from benchmarks.prompts import MAX_TOKENS, prompts

_LOOK_EVERY_S = 0.01

MODEL = """\
version: "1.0"
model:
  id: bench/SmolLM2-135M-Instruct
  artifacts:
"""

MATRIX = """\
test_matrix:
  modalities: [chat]
  backends: [cpu]
  formats: [{format}]
  quantizations: [{quantization}]
failure_policy: collect_all
limits: {{n_ctx: 2048, load_timeout_s: 300, max_tokens: {max_tokens}}}
scenarios:
"""


class Seen(NamedTuple):
    """A line of evidence, and when it was there (seconds of `perf_counter`)."""

    at: float
    record: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a playbook asks: `format`-`quantization` of a file or folder, in a mode."""

    path: Path
    format: str
    quantization: str
    mode: str
    count: int


def playbook(asked: Asked) -> str:
    """The playbook's text."""
    artifact = {
        "format": asked.format,
        "quantization": asked.quantization,
        "source": f"file:{asked.path}",
    }
    matrix = MATRIX.format(
        format=asked.format, quantization=asked.quantization, max_tokens=MAX_TOKENS
    )
    questions = (
        {
            "name": f"q{i:03}",
            "prompt": prompt,
            "oracle": "length",
            "min": 0,
            "max_tokens": MAX_TOKENS,
            "allow_garbage": True,
            "mode": asked.mode,
        }
        for i, prompt in enumerate(prompts(asked.count))
    )
    lines = "".join(f"  - {json.dumps(question)}\n" for question in questions)
    return f"{MODEL}    - {json.dumps(artifact)}\n{matrix}{lines}"


def ours(asked: Asked) -> Measured:
    """Run the command once. Raises NotMeasured unless every prompt was answered in that mode."""
    with tempfile.TemporaryDirectory() as folder:
        file, report = Path(folder) / "bench.yaml", Path(folder) / "report"
        file.write_text(playbook(asked), encoding="utf-8")
        start = perf_counter()
        seen = list(watched(command(file, report), report))
        return measured(asked, seen, perf_counter() - start)


def command(file: Path, report: Path, *more: str) -> list[str]:
    """What a user types; the caches of pytest are left alone."""
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return [*pytest, "--playbook", str(file), "--modelqa-report", str(report), *more]


def watched(
    command_line: Sequence[str], report: Path, *, cwd: Path | None = None
) -> Iterable[Seen]:
    """Start the command, yield the lines of its evidence as they appear; ends when it has ended.

    It runs in `cwd`, else in the folder above the report's.

    Red items are no failure of a measurement. Raises NotMeasured when pytest did not run.
    """
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command_line, cwd=cwd or report.parent, env=environment(), stdout=said, stderr=said
        )
        try:
            yield from _lines(process, report)
        finally:
            process.kill()
            process.wait()
        if process.returncode not in (0, 1):
            said.seek(0)
            raise NotMeasured(f"exit {process.returncode}: {last_words(said.read())}")


def _lines(process: subprocess.Popen[bytes], report: Path) -> Iterable[Seen]:
    deadline = perf_counter() + LONGEST_S
    torn, offset = b"", 0
    ended = False
    while not ended:
        ended = process.poll() is not None
        if perf_counter() > deadline:
            raise NotMeasured(f"not done after {LONGEST_S:.0f} s")
        for file in report.glob("*.evidence.jsonl"):
            with file.open("rb") as evidence:
                evidence.seek(offset)
                fresh = evidence.read()
            offset += len(fresh)
            now = perf_counter()
            *whole, torn = (torn + fresh).split(b"\n")
            yield from (Seen(now, json.loads(line)) for line in whole)
        if not ended:
            sleep(_LOOK_EVERY_S)


def measured(asked: Asked, seen: Sequence[Seen], wall_s: float) -> Measured:
    """The numbers of one run, from what was seen of it."""
    wanted = {prompt: i for i, prompt in enumerate(prompts(asked.count))}
    found: dict[int, Seen] = {}
    first = 0
    for at, line in enumerate(seen):
        index = wanted.get(_prompt(line.record, asked.mode))
        if index is not None and index not in found:
            first = first if found else at
            found[index] = line
    if len(found) < asked.count or not first:
        raise NotMeasured(f"{len(found)} of {asked.count} prompts were answered")
    answers = [found[i].record["answer"] for i in range(asked.count)]
    if any(a["kind"] != "Generation" for a in answers):
        raise NotMeasured("a prompt was not answered with a generation")
    return {
        "wall_s": wall_s,
        "answering_s": max(line.at for line in found.values()) - seen[first - 1].at,
        "engine_s": sum(line.record["seconds"] for line in found.values()),
        "tokens": sum(len(a["ids"]) for a in answers),
        "texts": [a["text"] for a in answers],
    }


def _prompt(record: dict[str, Any], mode: str) -> str:
    if record["type"] != "answer" or record["request"]["kind"] != "Generate":
        return ""
    messages = record["request"]["messages"]
    used = record["engine"]["settings"].get("mode", "exact")
    asked = messages and used == mode and record["request"]["max_tokens"] == MAX_TOKENS
    return str(messages[-1]["content"]) if asked else ""


def main() -> None:
    """Print one measurement: FORMAT-QUANTIZATION PATH MODE COUNT."""
    key, path, mode, count = sys.argv[1:]
    form, _, quantization = key.partition("-")
    asked = Asked(
        path=Path(os.path.abspath(path)),  # noqa: PTH100 - links stay links
        format=form,
        quantization=quantization,
        mode=mode,
        count=int(count),
    )
    print(json.dumps(ours(asked)))


if __name__ == "__main__":
    main()
