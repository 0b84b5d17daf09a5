"""The bounds of one file: processor time, memory, and what happens beyond."""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_STATM, _STATUS = Path("/proc/self/statm"), Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
CPU_S = 2.0
"""Processor time of one file of at most 64 KiB; a sound one takes a thousandth. Python code that
takes longer is stopped by a signal."""
WALL_S = 20.0
"""After so long on one file the process is killed: native code does not look at signals. Twice: on
a machine that stands still for a moment nothing is blamed."""
MEMORY_BYTES = 384 << 20
"""Address space that reading may add to the process; threads take 64 MiB of it each unused."""
GROWTH_KIB = 64 << 10
"""Resident memory that a single file may add."""
PROGRAM_KIB = MEMORY_BYTES >> 10
"""What a template may add: it is a program, which may ask for texts of any length and take what its
process has; beyond that it ends with MemoryError."""


class OutOfTime(BaseException):
    """A file took more than its processor time; no `except Exception` stops it."""


def limit_memory(extra_bytes: int = MEMORY_BYTES) -> None:
    """Bound this process's address space to what it has now and a little more.

    Where the system does not tell what it has now (macOS), the growth of a file is still seen.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _STATM.is_file():
        pages = int(_STATM.read_text(encoding="ascii").split()[0])
        bound = pages * resource.getpagesize() + extra_bytes
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


@contextmanager
def processor_time(seconds: float = CPU_S) -> Iterator[None]:
    """Raise OutOfTime in the main thread after so many seconds of processor time.

    A bound around this one waits meanwhile, and then goes on with what it had left.
    """
    before = signal.signal(signal.SIGPROF, _stop)
    left, _ = signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, left)
        signal.signal(signal.SIGPROF, before)


def reset_peak() -> bool:
    """Let the peak begin anew at what the process holds now; whether the system could do that.

    Linux: 5 written to clear_refs resets the high-water mark of the resident set, proc(5).
    """
    try:
        _RESET.write_bytes(b"5")
    except OSError:
        return False
    return True


def peak_kib() -> int:
    """The most resident memory that this process had since `reset_peak`, or ever, in KiB.

    Not `ru_maxrss` where the kernel tells better: that begins with the parent's, which may be more.
    """
    if _STATUS.is_file():
        found = _STATUS.read_bytes().partition(b"VmHWM:")[2].split(maxsplit=1)
        return int(found[0])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // 1024 if sys.platform == "darwin" else most


def cpu_s() -> float:
    """Processor time of this process so far, in seconds."""
    return time.process_time()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise OutOfTime
