"""Starts qualifications as a person would, apart from us, and meets them in the middle."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL

from suites.chaos.naming import BLOWS, CLOCK, GO, HERE, MARK, MEETING
from suites.chaos.observing import marked

ROOT = Path(__file__).parents[2]
_LONGEST_S = 120.0
_POLL_S = 0.01

ENGINES = {
    "struck": "suites.chaos.engine:Struck",
    "struck-transformers": "suites.chaos.engine_hf:StruckTransformers",
}
"""Names of the engines that can be struck, and where they stand."""

VICTIM = "victim"
BLOWS_OF = {
    "segfault": "river and cloud",
    "hang": "bird and tree",
    "hold": "king and ship",
    "exhaust": "bread and salt",
    "allocate": "door and key",
}
"""What may strike the model from within, and the words of the prompt that it strikes."""

WORDS = "lamp and stone"
PROMPTS = {
    "sum": "What is 2 + 2?",
    "capital": "What is the capital of France?",
    VICTIM: f"Repeat the words {WORDS}.",
    "opposite": "What is the opposite of hot?",
    **{name: f"Repeat the words {words}." for name, words in BLOWS_OF.items()},
    "water": "What is water made of?",
}
"""What the model is asked, in this order, by the name of the case."""

LATER = tuple(PROMPTS)[list(PROMPTS).index(VICTIM) + 1 :]
"""The cases that are asked after the victim."""

_BOOK = """\
version: "1.0"
model:
  id: test/chaos
  artifacts:
{artifacts}
test_matrix:
  modalities: [chat]
  backends: [cpu]
  formats: [{form}]
failure_policy: collect_all
limits: {limits}
scenarios:
"""

LIMITS: dict[str, float] = {
    "request_timeout_s": 20,
    "request_floor_s": 20,
    "load_timeout_s": 60,
    "n_ctx": 1024,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A folder with a model, a playbook about it, and the engine of `suites.chaos.engine`."""

    folder: Path
    model: str = "model.gguf"
    limits: Mapping[str, float] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    form: str = "gguf"

    @property
    def file(self) -> Path:
        """The model."""
        return self.folder / self.model

    @property
    def meeting(self) -> Path:
        """Where a struck worker waits."""
        return self.folder / "meeting"

    def write(self) -> Path:
        """Write the playbook; its path."""
        own = f'{{format: gguf, quantization: f16, source: "file:{self.model}", engine: struck}}'
        head = _BOOK.format(
            artifacts="\n".join(f"    - {a}" for a in self.artifacts or (own,)),
            form=self.form,
            limits=json.dumps({**LIMITS, **self.limits}),
        )
        lines = [
            json.dumps({"name": n, "prompt": p, "oracle": "length", "min": 1, "max_tokens": 12})
            for n, p in PROMPTS.items()
        ]
        self.meeting.mkdir(exist_ok=True)
        book = self.folder / "book.yaml"
        book.write_text(head + "".join(f"  - {line}\n" for line in lines))
        return book


class Running:
    """A pytest run under way. `mark` is in the environment of all its processes."""

    def __init__(self, process: subprocess.Popen[str], mark: str, meeting: Path) -> None:
        self.process = process
        self.mark = mark
        self._here, self._go = meeting / HERE, meeting / GO
        self._said = ""

    def met(self) -> int:
        """Wait until a worker is in the middle of the victim; its process id."""
        deadline = time.monotonic() + _LONGEST_S
        while not self._here.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"nobody came to the meeting: {self.said()}")
            time.sleep(_POLL_S)
        return int(self._here.read_text())

    def forget(self) -> None:
        """Whoever comes to the victim next waits too."""
        self._here.unlink()

    def wave_on(self) -> None:
        """Let the worker that waits go on."""
        self._go.touch()

    def said(self) -> str:
        """Wait for the end; what the run printed."""
        if not self._said:
            self._said = self.process.communicate(timeout=_LONGEST_S)[0]
        return self._said

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        self.said()
        return self.process.returncode


@contextmanager
def running(
    bench: Bench,
    out: Path,
    *more: str,
    blows: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    confined: Mapping[str, object] | None = None,
) -> Iterator[Running]:
    """Run pytest on the bench's playbook, with its evidence in `out`.

    `blows` says by what the words of a prompt are struck, `confined` is what `confine` imposes:
    one core unless told otherwise, for then one worker is asked everything in the order of the
    playbook. Whatever is left when the block ends is killed.
    """
    mark = secrets.token_hex(8)
    for name in (HERE, GO):
        (bench.meeting / name).unlink(missing_ok=True)
    conditions = json.dumps({"cores": 1, **(confined or {})})
    command = [sys.executable, "-m", "suites.chaos.confine", conditions]
    command += ["-q", "-p", "no:cacheprovider", "--playbook", str(bench.folder / "book.yaml")]
    process = subprocess.Popen(
        [*command, "--modelqa-report", str(out), *more],
        cwd=bench.folder,
        env=_environment(bench, mark, blows or {}) | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Running(process, mark, bench.meeting)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        for left in marked(mark):
            with suppress(ProcessLookupError):
                os.kill(int(left.split()[0]), SIGKILL)


def _environment(bench: Bench, mark: str, blows: Mapping[str, str]) -> dict[str, str]:
    """Ours, with the engine as an installed package would register it; no options of our run."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    return kept | {
        "PYTHONPATH": f"{site(bench.folder)}{os.pathsep}{ROOT}",
        MARK: mark,
        BLOWS: json.dumps(blows),
        MEETING: str(bench.meeting),
        CLOCK: str(bench.folder / "clock"),
    }


def site(folder: Path) -> Path:
    """A folder for `sys.path` with a distribution that brings the struck engines."""
    info = folder / "site" / "chaos_engines-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos-engines\nVersion: 1\n")
    lines = "".join(f"{name} = {target}\n" for name, target in ENGINES.items())
    (info / "entry_points.txt").write_text(f"[modelqa.engines]\n{lines}")
    return info.parent
