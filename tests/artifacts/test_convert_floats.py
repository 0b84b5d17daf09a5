"""Rounding to shorter floats, against torch's rules and numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelqa.artifacts.convert.floats import decode, encode
from pytest_modelqa.core.errors import Refused

NUMBERS = st.floats(
    width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**127), max_value=2.0**127
)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_bfloat16_is_the_nearest_of_both_neighbours_and_even_on_a_tie(found: list[float]) -> None:
    values = np.array(found, dtype=np.float32)
    stored = encode(values, "BF16", "w")
    back = decode(stored, "BF16").astype(np.float64)
    for value, near, bits in zip(values.astype(np.float64), back, stored.tolist(), strict=True):
        cut = int(np.float32(value).view(np.uint32)) >> 16
        both = decode(np.array([cut, cut + 1], dtype="<u2"), "BF16").astype(np.float64)
        distances = np.abs(both - value)
        assert abs(near - value) == distances.min()
        if distances[0] == distances[1]:
            assert bits % 2 == 0


def test_what_bfloat16_holds_comes_back_bit_by_bit() -> None:
    every = np.arange(1 << 16, dtype="<u2")
    finite = every[(every & 0x7F80) != 0x7F80]
    np.testing.assert_array_equal(encode(decode(finite, "BF16"), "BF16", "w"), finite)


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_nan_and_infinity_stay_what_they_are(dtype: str) -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1.0], dtype=np.float32)
    back = decode(encode(values, dtype, "w"), dtype)
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize(("dtype", "large"), [("F16", 70000.0), ("BF16", 3.4e38)])
def test_a_value_that_would_become_infinite_is_refused_by_its_tensors_name(
    dtype: str, large: float
) -> None:
    with pytest.raises(Refused, match=r"blk\.0 are too large"):
        encode(np.array([1.0, large], dtype=np.float32), dtype, "blk.0")
    assert np.isfinite(decode(encode(np.ones(1, dtype=np.float32), dtype, "blk.0"), dtype)).all()
