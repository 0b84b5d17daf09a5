"""llama.cpp as it is, struck in the middle of a generation."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import ClassVar

import llama_cpp as lc

from pytest_modelqa.engines.llamacpp import LlamaCpp
from suites.chaos.striking import Blow, Striking


def _segfault() -> None:
    """llama.cpp itself reads through a pointer that leads nowhere."""
    lc.llama_n_ctx(ctypes.c_void_p(8))


def _allocate() -> None:
    """More is asked of ggml than there is: it aborts the process."""
    lc.llama_cpp._lib.ggml_init(_Parameters(1 << 46, None, False))


class _Parameters(ctypes.Structure):
    """`struct ggml_init_params`."""

    _fields_ = (
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    )


class Struck(Striking, LlamaCpp):
    """Two blows fall in native code."""

    blows: ClassVar[Mapping[str, Blow]] = {
        **Striking.blows,
        "segfault": _segfault,
        "allocate": _allocate,
    }
