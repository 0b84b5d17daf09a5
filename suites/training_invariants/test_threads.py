"""More threads change the order of sums, not the result; the speed-up is measured and reported."""

from __future__ import annotations

import os

import pytest

from suites.conftest import Record

pytestmark = [pytest.mark.tier2, pytest.mark.stab]

BOUND = 1e-4
"""Float32 eps (6e-8) times the 512 terms of the longest sum and two layers of depth, doubled."""


def counts() -> list[int]:
    """One to as many threads as there are processors, four at most."""
    return list(range(1, min(4, os.cpu_count() or 1) + 1))


def test_every_number_of_threads_gives_the_same_gradients(row: Record) -> None:
    from suites.training_invariants import scaling  # noqa: PLC0415 - imports torch

    alone = scaling.run(1)
    for count in counts():
        found = scaling.run(count)
        apart = scaling.distance(alone, found)
        row(
            "threads",
            {
                "threads": count,
                "loss": found.loss,
                "largest_relative_difference": apart,
                "milliseconds": found.seconds * 1000,
                "speed_up": alone.seconds / found.seconds,
            },
        )
        assert apart <= BOUND
        assert found.loss == pytest.approx(alone.loss, rel=1e-5)


def test_one_thread_gives_the_same_bits_twice() -> None:
    from suites.training_invariants import scaling  # noqa: PLC0415

    assert scaling.distance(scaling.run(1), scaling.run(1)) == 0


def test_negative_control_an_error_of_a_thousandth_is_red() -> None:
    from suites.training_invariants import scaling  # noqa: PLC0415

    assert not scaling.distance(scaling.run(1), scaling.run(2, damage=1e-3)) <= BOUND


def test_negative_control_without_gradients_nothing_is_equal() -> None:
    from dataclasses import replace  # noqa: PLC0415

    from suites.training_invariants import scaling  # noqa: PLC0415

    empty = replace(scaling.run(1), gradients={})
    assert not scaling.distance(empty, empty) <= BOUND
