"""Freed memory is kept for the next step, where the C library can be told so.

What the backward pass frees, glibc gives back to the system, and the next step's first touch of
every page is a fault that the kernel answers with zeros: for a small model on few cores these
faults are much of a step. What is kept all the time has holes, since no two steps have the same
sizes, so that it must be given back before it is too much: see `keepable_bytes`, `give_back`.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]  # comes with accelerate

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
"""The parameters' numbers in glibc's malloc.h; mallopt(3) says what each is."""
_NEVER = 2**31 - 1
_STEP = 256 * 2**20
"""Bytes by which the heap grows."""
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _TOP_PAD: 128 * 1024, _MMAP_MAX: 65536}
_KEEPING = {_TRIM_THRESHOLD: _NEVER, _TOP_PAD: _STEP, _MMAP_MAX: 0}


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Until its end, freed memory stays with the process; elsewhere than on glibc, nothing.

    Afterwards the defaults of mallopt(3) hold, and what is free goes back.
    """
    _set(_KEEPING)
    try:
        yield
    finally:
        _set(_DEFAULTS)
        give_back()


def keepable_bytes(bound_gb: float) -> int:
    """What a process may hold before it gives back: 3/4 of its bound; of half the memory for 0.

    The rest is for the step that comes next, which finds much of what was kept in pieces.
    """
    bound = bound_gb * 1e9 if bound_gb else psutil.virtual_memory().total / 2
    return int(bound * 3 / 4)


def give_back() -> None:
    """Give all pages that nothing uses back to the system, wherever they lie."""
    if library := _glibc():
        library.malloc_trim(0)


def _set(parameters: dict[int, int]) -> None:
    if library := _glibc():
        for parameter, value in parameters.items():
            library.mallopt(parameter, value)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
