"""GGUF to GGUF by llama.cpp's own quantiser, inside the converting process."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from pytest_modelqa.artifacts.convert.kinds import QUANTISER_TYPES
from pytest_modelqa.core.errors import Refused


def quantise(source: Path, file: Path, quantization: str) -> None:
    """Write `source` with its weights as `quantization`. Raises Refused where llama.cpp declines.

    A source that is quantised already is dequantised first, which is what `derive` gives, bit by
    bit; metadata and tokenizer are copied.
    """
    import llama_cpp  # noqa: PLC0415 - native code: only in the converting process

    how = llama_cpp.llama_model_quantize_default_params()
    how.ftype = QUANTISER_TYPES[quantization]
    how.nthread = min(8, os.cpu_count() or 1)
    how.allow_requantize = True
    code = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(file), ctypes.byref(how))
    if code:
        raise Refused(f"llama.cpp's quantiser declined {quantization} (code {code})")
