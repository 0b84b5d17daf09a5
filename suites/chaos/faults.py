"""The faults that strike a generation, each with the hypothesis of steady state it may refute."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

from pytest_modelqa.artifacts import gguf
from suites.chaos.launching import LATER, VICTIM

Harm = Callable[[Path, int], None]
"""What is done to the model file, or to the worker with this process id, at the meeting."""

DEADLINE_S = 4
"""Seconds that a request may take in a run with hangs; it needs a fiftieth of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmed:
    """Something done from outside while the worker is in the middle of the victim's generation.

    `outcome` and words of the `reason` are the victim's right verdict. Where it is no pass, what is
    asked later is asked of what the harm has spoilt, and may not pass either.
    """

    name: str
    hypothesis: str
    outcome: str
    harm: Harm
    reason: str = ""

    @property
    def victims(self) -> tuple[str, ...]:
        """The cases whose verdict may differ from that of an undisturbed run."""
        return (VICTIM, *LATER) if self.outcome != "corroborated" else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """Something that befalls the engine itself in the middle of a generation."""

    blow: str
    hypothesis: str
    outcome: str
    reason: str


def kill(_file: Path, worker: int) -> None:
    """As `kill -9`, or a machine that runs out of memory elsewhere."""
    os.kill(worker, SIGKILL)


def truncate(file: Path, _worker: int) -> None:
    """As an interrupted copy onto the same file: its second half is gone, mapped or not."""
    os.truncate(file, file.stat().st_size // 2)


def delete(file: Path, _worker: int) -> None:
    """As `rm`: the name goes, the mapped bytes stay."""
    file.unlink()


def delete_and_kill(file: Path, worker: int) -> None:
    """Nobody holds it any more."""
    delete(file, worker)
    kill(file, worker)


def flip(file: Path, _worker: int) -> None:
    """One bit in every second byte of a projection: finite numbers, other answers."""
    found = next(t for t in gguf.read(file).tensors if t.name.endswith("ffn_down.weight"))
    with file.open("r+b") as stream:
        stream.seek(found.offset)
        data = bytearray(stream.read(found.bytes))
        data[1::2] = bytes(byte ^ 0x40 for byte in data[1::2])
        stream.seek(found.offset)
        stream.write(data)


HARMS = (
    Harmed(
        name="worker killed",
        hypothesis="a worker that somebody kills costs time, and no verdict",
        outcome="corroborated",
        harm=kill,
    ),
    Harmed(
        name="file truncated while mapped",
        hypothesis="what is asked of half a file is never answered",
        outcome="crashed",
        reason="SIGBUS",
        harm=truncate,
    ),
    Harmed(
        name="file deleted while mapped",
        hypothesis="a file without a name is the same file to those who hold it",
        outcome="corroborated",
        harm=delete,
    ),
    Harmed(
        name="file deleted, worker killed",
        hypothesis="a model that is gone answers nothing more, and no question is lost",
        outcome="falsified",
        reason="No such file",
        harm=delete_and_kill,
    ),
    Harmed(
        name="file bit-flipped while mapped",
        hypothesis="no answer of changed bytes is recorded as one of the bytes that were hashed",
        outcome="falsified",
        reason="changed",
        harm=flip,
    ),
)

STRUCK = (
    Struck(
        blow="segfault",
        hypothesis="a crash of native code costs the guilty request its verdict, and no other",
        outcome="crashed",
        reason="SIGSEGV",
    ),
    Struck(
        blow="hang",
        hypothesis="native code that never returns is ended at its deadline",
        outcome="timeout",
        reason=f"no answer within {DEADLINE_S} s",
    ),
    Struck(
        blow="hold",
        hypothesis="a worker in which no thread runs any more is ended at its deadline",
        outcome="timeout",
        reason=f"no answer within {DEADLINE_S} s",
    ),
    Struck(
        blow="exhaust",
        hypothesis="an allocation beyond the memory limit costs the request that wanted it",
        outcome="crashed",
        reason="out of memory: the limit",
    ),
    Struck(
        blow="allocate",
        hypothesis="native code that aborts for want of memory costs that request alone",
        outcome="crashed",
        reason="an allocation failed",
    ),
)
