"""Block quantisation of the gguf library: no value is further off than its format allows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from hypothesis import given
from hypothesis import strategies as st

from suites.property.seeds import checked, found
from suites.reference import affine_error, symmetric_error

pytestmark = [pytest.mark.tier2, pytest.mark.comp]

BLOCK = 32
SYMMETRIC = {"Q8_0": 8, "Q5_0": 5, "Q4_0": 4}
AFFINE = {"Q5_1": 5, "Q4_1": 4}
VALUES = st.lists(st.floats(-1000, 1000, width=32), min_size=BLOCK, max_size=BLOCK)


def worst(kind: str, values: list[float], *, scale: float = 1.0) -> float:
    """The largest error of a block; a `scale` other than one plants a wrong dequantisation.

    The library divides by the step of a block, which overflows where the step is below the inverse
    of the largest float32 (2.9e-39). Its half precision scale is zero by then, so numpy's warnings
    say nothing of the values that come back, and those are what is judged.
    """
    block = np.array([values], dtype=np.float32)
    held = GGMLQuantizationType[kind]
    with np.errstate(over="ignore", invalid="ignore"):
        packed = quantize(block, held)
    back = dequantize(packed, held) * np.float32(scale)
    assert back.shape == block.shape
    return float(np.abs(back.astype(np.float64) - block.astype(np.float64)).max())


def bound(kind: str, values: list[float]) -> float:
    """The largest error that the format allows."""
    if kind in SYMMETRIC:
        return symmetric_error(max(map(abs, values)), SYMMETRIC[kind])
    return affine_error(min(values), max(values), AFFINE[kind])


@pytest.mark.parametrize("kind", [*SYMMETRIC, *AFFINE])
def test_no_value_is_further_off_than_its_format_allows(kind: str) -> None:
    @checked(60)
    @given(VALUES)
    def search(values: list[float]) -> None:
        assert worst(kind, values) <= bound(kind, values)

    search()


@pytest.mark.parametrize("kind", [*SYMMETRIC, *AFFINE])
def test_negative_control_a_scale_that_is_too_large_is_found(kind: str) -> None:
    @checked(60)
    @given(VALUES)
    def search(values: list[float]) -> None:
        assert worst(kind, values, scale=1.2) <= bound(kind, values)

    assert found(search)


@pytest.mark.parametrize("kind", [*SYMMETRIC, *AFFINE])
def test_zeros_stay_zeros(kind: str) -> None:
    assert worst(kind, [0.0] * BLOCK) == 0


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("size", [1.401298464324817e-45, 1e-42, 1e-40, 3e-37])
@pytest.mark.parametrize("kind", [*SYMMETRIC, *AFFINE])
def test_a_step_too_small_to_invert_leaves_no_value_undefined(
    kind: str, size: float, sign: int
) -> None:
    values = [*[0.0] * (BLOCK - 1), sign * size]
    assert worst(kind, values) <= bound(kind, values)


def test_more_bits_are_no_worse() -> None:
    wave = [10 * math.sin(i) for i in range(BLOCK)]
    assert worst("Q8_0", wave) < worst("Q5_1", wave) < worst("Q4_1", wave)
