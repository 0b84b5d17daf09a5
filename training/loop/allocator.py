"""Freed memory is kept for the next step, where the C library can be told so.

The large tensors of a step, its logits above all, are blocks that glibc gives back to the system at
once, and the next step's first touch of every page is a fault that the kernel answers with zeros:
for a small model on few cores these faults are much of a step.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

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
    library = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
    if library is None:
        yield
        return
    for parameter, value in _KEEPING.items():
        library.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in _DEFAULTS.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)
