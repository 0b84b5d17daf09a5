"""More threads change the order of sums, not the result; the speed-up is measured and reported."""

from __future__ import annotations

import math
import os

import pytest

from suites.conftest import Record

pytestmark = [pytest.mark.tier2, pytest.mark.stab]

BOUND = 1e-4
"""Float32 eps (6e-8) times the 512 terms of the longest sum and two layers of depth, doubled."""


def counts() -> list[int]:
    """One, two, and on to as many threads as there are processors, four at most."""
    return list(range(1, max(2, min(4, os.cpu_count() or 1)) + 1))


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


@pytest.mark.parametrize(("processors", "most"), [(None, 2), (1, 2), (2, 2), (3, 3), (64, 4)])
def test_negative_one_processor_compares_more_than_one_thread_with_itself(
    processors: int | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert counts() == list(range(1, most + 1))


@pytest.mark.parametrize("at", ["first", "last"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_negative_control_a_gradient_that_is_no_number_is_red(at: str, value: float) -> None:
    import torch  # noqa: PLC0415 - collecting stays cheap

    from suites.training_invariants.scaling import Timed, distance  # noqa: PLC0415

    def timed(**changed: float) -> Timed:
        given = {"first": 1.0, "middle": 1.0, "last": 1.0} | changed
        gradients = {name: torch.tensor([2.0, number]) for name, number in given.items()}
        return Timed(threads=1, loss=1.0, gradients=gradients, seconds=1.0)

    sound, spoilt = timed(), timed(**{at: value})
    assert not distance(sound, spoilt) <= BOUND
    assert not distance(spoilt, sound) <= BOUND
    assert not distance(spoilt, spoilt) <= BOUND
    assert distance(sound, timed(**{at: 1 + BOUND / 10})) <= BOUND
