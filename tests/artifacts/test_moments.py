"""Statistics of stored values, against numpy in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

from pytest_modelqa.artifacts.fingerprint import Place
from pytest_modelqa.artifacts.moments import BLOCKED, all_moments, decoded, moments


def stored(file: Path, kind: str, raw: bytes) -> Place:
    file.write_bytes(raw)
    return Place("t", kind, (1,), file, 0, len(raw))


def test_halves_are_read_exactly_even_the_smallest(tmp_path: Path) -> None:
    bits = np.arange(0x10000, dtype=np.uint16)
    finite = bits[(bits & 0x7C00) != 0x7C00]
    values = finite.view(np.float16).astype(np.float64)
    seen = moments(stored(tmp_path / "h", "F16", finite.tobytes()))
    assert seen is not None
    assert (seen.weights, seen.min, seen.max) == (len(values), -65504.0, 65504.0)
    assert seen.zero == 2 / len(values)
    assert seen.l2 == pytest.approx(np.linalg.norm(values), rel=1e-4)
    tiny = finite[(finite & 0x7C00) == 0]
    small = moments(stored(tmp_path / "s", "F16", tiny.tobytes()))
    assert small is not None
    assert small.max == float(np.float16(6.097555e-5))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows(tmp_path: Path, bad: float) -> None:
    values = np.array([1.0, bad, 2.0], dtype=np.float16)
    seen = moments(stored(tmp_path / "n", "F16", values.tobytes()))
    assert seen is not None
    assert not np.isfinite(seen.max)


@pytest.mark.parametrize("kind", ["F32", "F16"])
def test_moments_are_numpys(tmp_path: Path, kind: str) -> None:
    values = np.random.default_rng(1).normal(0.5, 2, 200_000)
    raw = values.astype(np.float32 if kind == "F32" else np.float16)
    place = stored(tmp_path / "v", kind, raw.tobytes())
    seen = all_moments([place])["t"]
    assert seen is not None
    assert seen.mean == pytest.approx(raw.astype(np.float64).mean(), abs=1e-4)
    assert seen.std == pytest.approx(raw.astype(np.float64).std(), rel=1e-4)


def test_blocks_are_decoded(tmp_path: Path) -> None:
    block = np.float16(0.5).tobytes() + np.arange(-16, 16, dtype=np.int8).tobytes()
    seen = moments(stored(tmp_path / "q", "Q8_0", block))
    assert seen is not None
    assert (seen.min, seen.max, seen.mean) == (-8.0, 7.5, -0.25)
    assert moments(stored(tmp_path / "x", "Q6_K", bytes(210))) is None


@pytest.mark.parametrize("kind", BLOCKED)
def test_blocks_are_decoded_as_ggufs_own_library_does(kind: str) -> None:
    values = np.random.default_rng(2).normal(0, 2, (8, 64)).astype(np.float32)
    raw = quantize(values, GGMLQuantizationType[kind])
    theirs = dequantize(raw, GGMLQuantizationType[kind]).reshape(-1)
    assert np.array_equal(decoded(kind, raw.reshape(-1)), theirs)
