"""Arrays that leave an engine: written beside the evidence, summarised for the judge."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from pytest_modelqa.core.answer import Logits


def keep_logits(logits: NDArray[np.float32], folder: Path) -> Logits:
    """Write float32 logits of shape (positions, vocabulary), named by content, and summarise them.

    Raises OSError where the folder cannot be written.
    """
    data = save({"logits": np.ascontiguousarray(logits, dtype=np.float32)})
    sha256 = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{sha256[:32]}.safetensors"
    if not file.exists():
        part = file.with_suffix(".part")
        part.write_bytes(data)
        part.replace(file)
    finite = np.isfinite(logits)
    return Logits(
        file=f"{folder.name}/{file.name}",
        sha256=sha256,
        positions=int(logits.shape[0]),
        vocabulary=int(logits.shape[1]),
        nonfinite=int(logits.size - finite.sum()),
        spread=_smallest_spread(logits, finite),
        top1=tuple(
            -1 if not ok.all() else int(row.argmax())
            for row, ok in zip(logits, finite, strict=True)
        ),
    )


def _smallest_spread(logits: NDArray[np.float32], finite: NDArray[np.bool_]) -> float:
    spreads = [
        float(row[ok].std()) if ok.any() else 0.0 for row, ok in zip(logits, finite, strict=True)
    ]
    return min(spreads, default=0.0)


def choose(row: NDArray[np.float32], temperature: float, random: np.random.Generator) -> int:
    """The next id: argmax (lowest id on ties) at temperature 0, else a draw from the softmax."""
    if temperature <= 0:
        return int(row.argmax())
    scaled = row.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    return int(random.choice(len(weights), p=weights / weights.sum()))
