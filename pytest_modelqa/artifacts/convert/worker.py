"""The converting process: `python -m pytest_modelqa.artifacts.convert.worker STEP SRC OUT QUANT`.

It ends when its stdin closes, so that a killed parent leaves nobody writing into the cache. What
native code says goes to stdout and stderr, which the parent keeps as the log; the last line says
what went wrong. Exit codes are those of `core.errors`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_modelqa.core.errors import ExitCode, ModelQAError

Step = Callable[[Path, Path, str], None]


def _dequantise(source: Path, out: Path, quantization: str) -> None:
    from pytest_modelqa.artifacts.derive import derive  # noqa: PLC0415 - steps load what they need

    out.mkdir()
    derive(source, out, quantization.upper())


def _cast(source: Path, out: Path, quantization: str) -> None:
    from pytest_modelqa.artifacts.convert.tensors import cast  # noqa: PLC0415

    out.mkdir()
    cast(source, out, quantization.upper())


def _pack(source: Path, out: Path, _: str) -> None:
    from pytest_modelqa.artifacts.convert.apr_writer import pack  # noqa: PLC0415

    pack(source, out)


def _unpack(source: Path, out: Path, _: str) -> None:
    from pytest_modelqa.artifacts.convert.apr_reader import unpack  # noqa: PLC0415

    out.mkdir()
    unpack(source, out)


def _hf_to_gguf(source: Path, out: Path, quantization: str) -> None:
    from pytest_modelqa.artifacts.convert.hf_to_gguf import convert  # noqa: PLC0415

    convert(source, out, quantization)


def _quantise(source: Path, out: Path, quantization: str) -> None:
    from pytest_modelqa.artifacts.convert.quantise import quantise  # noqa: PLC0415

    quantise(source, out, quantization)


STEPS: Mapping[str, Step] = {
    "dequantise": _dequantise,
    "cast": _cast,
    "pack": _pack,
    "unpack": _unpack,
    "hf-to-gguf": _hf_to_gguf,
    "quantise": _quantise,
}


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # not buffered: a lock held at exit is fatal
    os._exit(ExitCode.INTERRUPTED)


def main(argv: list[str]) -> int:
    """Run one step; foreseen errors end with their message and code."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    step, source, out, quantization = argv
    try:
        STEPS[step](Path(source), Path(out), quantization)
    except ModelQAError as error:
        sys.stderr.write(f"{error.what}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.OUTPUT
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
