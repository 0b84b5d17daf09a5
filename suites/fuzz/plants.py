"""Readers with a planted defect, for the controls: each must be found, and blamed on its file."""

from __future__ import annotations

import os
import signal
import time
from itertools import count
from pathlib import Path
from random import Random

from pytest_modelqa.core.errors import Refused
from suites.fuzz.files import Files
from suites.fuzz.reader import Held, Probe, Reader

NAME = "input"
_BAD = b"\x07"
"""Files that begin with this byte meet the defect: one of 32."""


def _mutated(dice: Random) -> Files:
    return {NAME: dice.randrange(32).to_bytes(1, "little") + dice.randbytes(7)}


def _seeds() -> tuple[Files, ...]:
    return ({NAME: bytes(8)},)


def _healthy(data: bytes, held: Held) -> str:
    held.must("is_there", data[:1] != _BAD, "the planted byte")
    if data[:1] and data[0] % 2:
        raise Refused("odd", remedy="begin with an even byte")
    return "sound"


def _reader(defect: Probe, *, always: bool = False) -> Reader:
    """A reader with a defect: for the files with the bad byte, or for all of them."""

    def probe(folder: Path, held: Held) -> str:
        data = (folder / NAME).read_bytes()
        met = always or data[:1] == _BAD
        return defect(folder, held) if met else _healthy(data, held)

    return Reader(name="planted", seeds=_seeds, mutated=_mutated, probe=probe)


def _crash(_folder: Path, _held: Held) -> str:
    raise KeyError("planted")


def _lie(_folder: Path, held: Held) -> str:
    held.must("planted", False, "an answer that cannot be")
    return "sound"


def _spin(_folder: Path, _held: Held) -> str:
    while True:
        pass


def _hang(_folder: Path, _held: Held) -> str:
    time.sleep(3600)
    return "sound"


def _die(_folder: Path, _held: Held) -> str:
    os.kill(os.getpid(), signal.SIGSEGV)
    return "sound"


def _hoard(_folder: Path, _held: Held) -> str:
    return str(len(bytearray(1 << 30)))


def _grow(_folder: Path, _held: Held) -> str:
    return str(len(b"x" * (100 << 20)))


_STEPS = count(1)
_STEP_BYTES = 48 << 20


def _climb(_folder: Path, _held: Held) -> str:
    """Each file takes less than the bound more than the one before, and soon far more than it."""
    return str(len(b"x" * (next(_STEPS) * _STEP_BYTES)))


def _refuse(_folder: Path, _held: Held) -> str:
    raise Refused("healthy")


HEALTHY = _reader(_refuse)
CRASH, LIE, SPIN, HANG = (_reader(d) for d in (_crash, _lie, _spin, _hang))
DIE, HOARD, GROW, CLIMB = (_reader(d) for d in (_die, _hoard, _grow, _climb))
REFUSES_ALL, BREAKS_ALL = (_reader(d, always=True) for d in (_refuse, _crash))


def of_model(_artifact: str) -> Reader:
    """The reader that crashes, made for a model: for the measurement's control."""
    return CRASH
