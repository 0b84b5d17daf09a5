"""Freed memory is kept for the next step, where the C library can be told so.

What the backward pass frees, glibc gives back to the system, and the next step's first touch of
every page is a fault that the kernel answers with zeros: for a small model on few cores these
faults are much of a step.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""The parameters' numbers in glibc's malloc.h; mallopt(3) says what each is."""
_NEVER = 2**31 - 1
_STEP = 256 * 2**20
"""Bytes by which the heap grows."""
_LARGEST = 32 * 2**20
"""Bytes from which a block has pages of its own: glibc's upper limit. Logits are of that size, and
of another one in each step: in the heap they would leave holes that nothing fits into."""
_DEFAULTS = {_TRIM_THRESHOLD: 128 * 1024, _TOP_PAD: 128 * 1024, _MMAP_THRESHOLD: 128 * 1024}
_KEEPING = {_TRIM_THRESHOLD: _NEVER, _TOP_PAD: _STEP, _MMAP_THRESHOLD: _LARGEST}


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
