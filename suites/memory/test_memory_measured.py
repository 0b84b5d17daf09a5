"""Plans against bitsandbytes' NF4, and against the peaks of real training steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from suites.conftest import Record
from suites.memory import defects
from suites.memory.defects import Defect
from suites.memory.judging import PACKED, PEAK, error
from suites.memory.names import MIDDLE
from training import plan_memory
from training.memory import MODELS, Approach
from training.memory.fit import fit
from training.memory.plan import MemoryPlan
from training.memory.quantised import nf4

if TYPE_CHECKING:
    from suites.memory.step import Peak

pytestmark = [pytest.mark.tier3, pytest.mark.stab, pytest.mark.usefixtures("one_thread")]

_SMOLLM2 = MODELS["smollm2-135m"]
_TIED = replace(MIDDLE, tie_word_embeddings=True)
_STEP = Approach(tokens=256)
_BUDGET = 230_000_000
_FITTED = fit(MIDDLE, replace(_STEP, batch=8), _BUDGET)

CASES = {
    "full": (MIDDLE, replace(_STEP, tokens=64)),
    "full, tied": (_TIED, replace(_STEP, tokens=64)),
    "lora": (MIDDLE, replace(_STEP, kind="lora")),
    "lora, checkpointing": (MIDDLE, replace(_STEP, kind="lora", checkpointing=True, batch=2)),
    "qlora": (MIDDLE, replace(_STEP, kind="qlora")),
    "fitted": (MIDDLE, _FITTED.plan.approach),
}


@pytest.fixture(scope="module")
def peaks() -> dict[str, Peak]:
    from suites.memory.step import peaks  # noqa: PLC0415

    return dict(zip(CASES, peaks(list(CASES.values())), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_peak_of_a_training_step_is_the_planned_one(
    name: str, peaks: dict[str, Peak], row: Record
) -> None:
    plan = plan_memory(*CASES[name])
    row(
        "memory_peaks",
        {
            "step": name,
            "planned_MB": plan.peak_bytes // 10**6,
            "measured_MB": peaks[name].peak // 10**6,
            "error": error(plan.peak_bytes, peaks[name].peak),
            "at": max(plan.moments, key=plan.moments.__getitem__),
        },
    )
    assert error(plan.peak_bytes, peaks[name].peak) < PEAK


@pytest.mark.parametrize(
    ("defect", "name"),
    [
        (defects.without_gradients, "full"),
        (defects.without_moments, "full"),
        (defects.without_activations, "lora"),
        (defects.without_activations, "qlora"),
    ],
)
def test_negative_control_the_peak_of_a_forgetful_planner_is_red(
    defect: Defect, name: str, peaks: dict[str, Peak]
) -> None:
    plan = plan_memory(*CASES[name])
    assert error(defect(plan).peak_bytes, peaks[name].peak) > PEAK
    assert error(plan.peak_bytes, peaks[name].peak) < PEAK


def test_what_is_fitted_into_a_budget_trains_within_it(peaks: dict[str, Peak]) -> None:
    wanted = plan_memory(MIDDLE, replace(_STEP, batch=8))
    assert wanted.total_bytes > _BUDGET
    assert _FITTED.given_up
    assert peaks["fitted"].peak <= _BUDGET


@pytest.mark.parametrize("double", [False, True])
def test_nf4_takes_what_bitsandbytes_takes(double: bool, row: Record) -> None:
    measured = _packed_layer(double=double)
    planned = sum(nf4(m.weights, double=double).total for m in _SMOLLM2.matrices)
    row(
        "memory_packed",
        {
            "double": double,
            "weights": sum(m.weights for m in _SMOLLM2.matrices),
            "planned": planned,
            "measured": measured,
            "error": error(planned, measured),
        },
    )
    assert error(planned, measured) < PACKED
    assert planned == measured


@pytest.mark.parametrize("numbers", [1, 2, 63, 64, 65, 127, 16_384, 16_385, 16_449])
@pytest.mark.parametrize("double", [False, True])
def test_blocks_that_are_not_full_count_whole(numbers: int, double: bool) -> None:
    import torch  # noqa: PLC0415

    from suites.memory import real  # noqa: PLC0415

    weight = torch.ones(1, numbers)
    assert nf4(numbers, double=double).total == real.packed_bytes(
        real.packed(weight, double=double)
    )


@pytest.mark.parametrize("defect", [defects.without_scales, defects.scales_not_quantised_again])
def test_negative_control_nf4_without_or_with_plain_scales_is_red(defect: Defect) -> None:
    plan = plan_memory(replace(_SMOLLM2, num_hidden_layers=1), "qlora")
    measured = _packed_layer(double=True)
    assert error(_quantised(defect(plan)), measured) > PACKED
    assert error(_quantised(plan), measured) < PACKED


def _quantised(plan: MemoryPlan) -> int:
    rest = plan.architecture.other_weights * plan.approach.width
    return plan.weight_bytes + plan.scale_bytes - rest


def _packed_layer(*, double: bool) -> int:
    """What bitsandbytes holds for the projections of one layer of SmolLM2."""
    import torch  # noqa: PLC0415

    from suites.memory import real  # noqa: PLC0415

    weights = (torch.randn(m.outputs, m.inputs) for m in _SMOLLM2.matrices)
    return sum(real.packed_bytes(real.packed(weight, double=double)) for weight in weights)
