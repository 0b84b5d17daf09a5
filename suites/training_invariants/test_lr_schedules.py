"""Learning rates by value, at every step, with the real optimizer; resumed in the middle too."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from suites.reference import constant, cosine, linear, rate, step_rate

pytestmark = [pytest.mark.tier2, pytest.mark.qual, pytest.mark.usefixtures("one_thread")]

PEAK, WARMUP, STEPS = 1e-3, 10, 100
DECAYS = {"cosine": cosine, "linear": linear, "constant": constant}
NAMES = [*DECAYS, "step"]


def expected(name: str) -> list[float]:
    if name == "step":
        return [step_rate(s, peak=PEAK, every=30, factor=0.1) for s in range(STEPS + 1)]
    decay = DECAYS[name]
    return [rate(s, peak=PEAK, warmup=WARMUP, steps=STEPS, decay=decay) for s in range(STEPS + 1)]


def equal(found: list[float], wanted: list[float]) -> bool:
    """Equal to a dozen roundings in float64, relative to the peak; NaN is not."""
    pairs = zip(found, wanted, strict=True)
    return all(abs(a - b) <= 4e-15 * PEAK for a, b in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_every_step_has_the_exact_rate(name: str) -> None:
    from suites.training_invariants import rates  # noqa: PLC0415 - imports torch

    assert equal(rates.rates(rates.scheduler(name)), expected(name))


@pytest.mark.parametrize("name", list(DECAYS))
def test_warm_up_rises_strictly_to_the_initial_rate(name: str) -> None:
    from suites.training_invariants import rates  # noqa: PLC0415

    found = rates.rates(rates.scheduler(name))
    assert all(b > a for a, b in pairwise(found[: WARMUP + 1]))
    assert found[WARMUP] == PEAK
    steps = [b - a for a, b in pairwise(found[: WARMUP + 1])]
    assert steps == pytest.approx([PEAK / WARMUP] * WARMUP, rel=1e-12)  # linear in the initial rate


@pytest.mark.parametrize("name", ["cosine", "linear", "step"])
def test_after_warm_up_the_rate_falls_within_its_bounds_to_its_end(name: str) -> None:
    from suites.training_invariants import rates  # noqa: PLC0415

    found = rates.rates(rates.scheduler(name))
    after = found[WARMUP:]
    assert all(b <= a for a, b in pairwise(after))
    assert all(math.isfinite(r) and 0 <= r <= PEAK for r in found)
    assert found[STEPS] == pytest.approx(PEAK * 0.1**3 if name == "step" else 0.0, abs=1e-18)
    assert found[30] < found[10]


def test_a_constant_rate_stays() -> None:
    from suites.training_invariants import rates  # noqa: PLC0415

    assert set(rates.rates(rates.scheduler("constant"))[WARMUP:]) == {PEAK}


@pytest.mark.parametrize("at", [4, 10, 55])
@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_is_resumed_has_the_same_rates(name: str, at: int) -> None:
    from suites.training_invariants import rates  # noqa: PLC0415

    assert equal(rates.resumed(rates.scheduler(name), at), expected(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_optimizer_moves_the_weight_by_the_rate(name: str) -> None:
    from suites.training_invariants import rates  # noqa: PLC0415

    moved = rates.updates(rates.scheduler(name))
    # the weight is near one: a difference of two of them is good to float64 eps
    assert moved == pytest.approx(expected(name)[:-1], abs=4.5e-16)


def test_the_rates_of_ci_light_are_those_of_its_recipe() -> None:
    from suites.training_invariants import rates  # noqa: PLC0415
    from training.ci_light.train import Recipe  # noqa: PLC0415

    recipe = Recipe()
    found = rates.of_ci_light(recipe)
    warm = [recipe.peak_rate * (s + 1) / recipe.warmup for s in range(recipe.warmup)]
    left = recipe.steps - recipe.warmup
    rest = [recipe.peak_rate * cosine(s / left) for s in range(left + 1)]
    assert found == pytest.approx([*warm, *rest], abs=1e-17)
    assert all(b > a for a, b in pairwise(found[: recipe.warmup]))
    assert found[-1] == pytest.approx(0.0, abs=1e-18)


def test_negative_control_a_warm_up_from_the_modified_rate_is_red() -> None:
    from suites.training_invariants import rates  # noqa: PLC0415

    found = rates.rates(rates.ReadsModifiedRate)
    assert not equal(found, expected("constant"))
    assert found[WARMUP] < PEAK / 1000  # ten factorial over ten to the tenth


def test_negative_control_a_schedule_that_is_one_step_early_is_red() -> None:
    from suites.training_invariants import rates  # noqa: PLC0415

    assert not equal(rates.rates(rates.off_by_one), expected("constant"))


@pytest.mark.parametrize("name", NAMES)
def test_negative_control_the_rates_of_another_schedule_are_red(name: str) -> None:
    from suites.training_invariants import rates  # noqa: PLC0415

    found = rates.rates(rates.scheduler(name))
    assert [other for other in NAMES if equal(found, expected(other))] == [name]


@pytest.mark.parametrize("name", ["cosine", "linear", "step"])
def test_negative_control_a_resume_that_forgets_the_schedule_is_red(name: str) -> None:
    from suites.training_invariants import rates  # noqa: PLC0415

    found = rates.resumed(rates.scheduler(name), 55, with_schedule=False)
    assert not equal(found, expected(name))
