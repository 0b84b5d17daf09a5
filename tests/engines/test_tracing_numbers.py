"""Statistics of a stage and relative errors, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_modelqa.engines.pair.trace import relative_error
from pytest_modelqa.engines.tracing import Stage, merged, statistics, top1

STAGE = Stage("ffn", 3)


def test_statistics_are_those_of_a_known_array() -> None:
    seen = statistics(STAGE, np.array([[3.0, -4.0], [0.0, 5.0]], dtype=np.float32))
    assert (seen.block, seen.layer, seen.positions, seen.width) == ("ffn", 3, 2, 2)
    assert seen.rms == pytest.approx(math.sqrt(50 / 4))
    assert seen.typical == pytest.approx(math.sqrt(25 / 2))
    assert seen.mean == pytest.approx(1.0)
    assert seen.max_abs == 5.0
    assert seen.across == pytest.approx(math.sqrt((2 * 1.5**2 + 2 * 4.5**2) / 4) / seen.rms)
    assert seen.within == pytest.approx(2.5 / seen.rms)


def test_nan_and_inf_are_counted_and_leave_no_shares() -> None:
    values = np.array([[1.0, np.nan], [np.inf, 1.0]], dtype=np.float32)
    seen = statistics(STAGE, values)
    assert seen.nonfinite == 2
    assert seen.rms == pytest.approx(1.0)
    assert math.isnan(seen.across)
    assert math.isnan(seen.within)


def test_equal_positions_do_not_vary_and_a_constant_position_is_seen() -> None:
    same = statistics(STAGE, np.tile(np.array([1.0, 2.0, 3.0], dtype=np.float32), (4, 1)))
    assert same.across == 0
    flat = statistics(STAGE, np.array([[1.0, 2.0], [2.0, 2.0]], dtype=np.float32))
    assert flat.within == 0


def test_merged_statistics_are_those_of_all_texts_together() -> None:
    draw = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    whole = statistics(STAGE, draw)
    both = merged([statistics(STAGE, draw[:4]), statistics(STAGE, draw[4:])])
    assert both.rms == pytest.approx(whole.rms)
    assert both.mean == pytest.approx(whole.mean)
    assert both.max_abs == whole.max_abs
    assert both.positions == 12


def test_an_error_is_relative_to_the_reference_of_each_position() -> None:
    reference = np.array([[3.0, 4.0], [0.0, 10.0]], dtype=np.float32)
    candidate = np.array([[3.0, 5.0], [0.0, 9.0]], dtype=np.float32)
    assert relative_error(candidate, reference) == pytest.approx([0.2, 0.1])


def test_where_the_reference_is_zero_anything_else_is_infinitely_wrong() -> None:
    zero = np.zeros((2, 2), dtype=np.float32)
    assert relative_error(zero, zero).tolist() == [0.0, 0.0]
    assert relative_error(zero + 1, zero).tolist() == [math.inf, math.inf]


def test_another_width_and_nan_are_nan() -> None:
    reference = np.ones((2, 3), dtype=np.float32)
    assert np.isnan(relative_error(np.ones((2, 4), dtype=np.float32), reference)).all()
    assert np.isnan(relative_error(reference * np.float32("nan"), reference)).all()


def test_top1_has_no_id_where_logits_hold_nan() -> None:
    logits = np.array([[0.0, 2.0], [np.nan, 1.0]], dtype=np.float32)
    assert top1(logits) == (1, -1)
