"""A process of its own that traces: the reference stays open, candidates come and go.

Reads a JSON list from stdin; each entry has `candidate` (a path) and may have `plant`, a defect of
`PLANTS` with the tensor that it is planted in, on a copy that is removed afterwards; `texts` and
`positions` of the comparison; or `alone`, a text to trace without the reference. Writes one answer
a line to the file that is its second argument, encoded for the wire. The first argument is the
reference.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf as official
import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.core.comparison.trace import CompareTrace
from pytest_modelqa.core.stages import Trace
from pytest_modelqa.core.wire import encode
from pytest_modelqa.engines.base import Settings
from pytest_modelqa.engines.hf import Transformers
from pytest_modelqa.engines.llamacpp import LlamaCpp
from pytest_modelqa.engines.pair.base import Pair
from pytest_modelqa.engines.pair.trace import compare

Rows = NDArray[Any]

PLANTS: dict[str, Callable[[Rows], Rows]] = {
    "reversed rows": lambda rows: rows[::-1],
    "swapped halves of rows": lambda rows: np.roll(rows, len(rows) // 2, axis=0),
    "zeros": np.zeros_like,
    "plus one": lambda values: values + 1,
    "times 1.05": lambda values: values * np.asarray(1.05, values.dtype),
    "one NaN": lambda values: np.where(
        np.arange(values.size).reshape(values.shape), values, np.nan
    ),
}
"""What is done to a tensor: to its rows as stored, or to the values of F32 and F16."""


def planted(source: Path, target: Path, tensor: str, defect: str) -> None:
    """Copy a GGUF file, and change one tensor of the copy in place."""
    shutil.copyfile(source, target)
    found = next(t for t in gguf.read(target).tensors if t.name == tensor)
    kinds: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
    rows = found.shape[1] if len(found.shape) > 1 else 1
    with target.open("r+b") as file:
        file.seek(found.offset)
        stored = np.frombuffer(file.read(found.bytes), kinds.get(found.type, np.dtype("u1")))
        changed = PLANTS[defect](stored.reshape(rows, -1))
        file.seek(found.offset)
        file.write(np.ascontiguousarray(changed, stored.dtype).tobytes())


def hyper(source: Path, target: Path, key: str, value: float) -> None:
    """Copy a GGUF file, and change one float of its header in the copy."""
    shutil.copyfile(source, target)
    reader = official.GGUFReader(target, "r+")
    reader.fields[key].parts[reader.fields[key].data[0]][0] = value


def settings() -> Settings:
    return Settings(
        backend="cpu",
        threads=1,
        n_ctx=256,
        arrays=Path(tempfile.gettempdir()),
        memory_bytes=1 << 28,
    )


def opened(path: Path) -> Any:
    return (Transformers if path.is_dir() else LlamaCpp).open(path, settings())


def answered(reference: Any, entry: dict[str, Any]) -> Any:
    source = Path(entry["candidate"])
    with tempfile.TemporaryDirectory() as folder:
        if "plant" in entry:
            target = Path(folder) / "planted.gguf"
            planted(source, target, *entry["plant"])
            source = target
        if "hyper" in entry:
            target = Path(folder) / "planted.gguf"
            hyper(source, target, *entry["hyper"])
            source = target
        candidate = opened(source)
        try:
            if "alone" in entry:
                return candidate.answer(Trace(text=entry["alone"]))
            asked = CompareTrace(texts=tuple(entry["texts"]), positions=entry["positions"])
            with reference.computing(), candidate.computing():
                return compare(Pair(candidate=candidate, reference=reference), asked)
        finally:
            candidate.close()


def main() -> None:
    reference = opened(Path(sys.argv[1]))
    with Path(sys.argv[2]).open("w") as out:
        for entry in json.load(sys.stdin):
            out.write(json.dumps(encode(answered(reference, entry))) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
