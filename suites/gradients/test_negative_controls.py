"""A wrong backward around a right forward must turn its check red; so must an empty proof."""

from __future__ import annotations

import math

import pytest

from suites.gradients.names import CHECKS, DEFECTS

pytestmark = [pytest.mark.tier1, pytest.mark.qual, pytest.mark.usefixtures("one_thread")]


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("name", CHECKS)
def test_negative_control_a_wrong_backward_is_red(name: str, defect: str) -> None:
    from suites.gradients import catalogue  # noqa: PLC0415 - imports torch
    from suites.gradients.defects import Defect  # noqa: PLC0415

    found = catalogue.measured(name, Defect(defect))
    assert not all(m.ok for m in found)


@pytest.mark.parametrize("name", ["swiglu_combined", "grouped_query_attention", "rope", "lora_a"])
def test_negative_control_one_wrong_gradient_is_red_and_named(name: str) -> None:
    from suites.gradients import catalogue  # noqa: PLC0415
    from suites.gradients.defects import Defect  # noqa: PLC0415

    for tensor in catalogue.prepared(name).case.tensors:
        for defect in ("zero", "sign", "scale"):
            found = catalogue.measured(name, Defect(defect), only=tensor)
            assert [m.tensor for m in found if not m.ok] == [tensor]


def test_negative_control_the_worst_place_of_a_wrong_gradient_is_named() -> None:
    from suites.gradients import catalogue  # noqa: PLC0415

    said = catalogue.worst_place("weight_q_projection", "weight")
    assert said.startswith("weight[")
    assert "differences say" in said


def test_negative_control_a_gradient_of_zeros_on_both_sides_is_no_evidence() -> None:
    from suites.gradients import catalogue  # noqa: PLC0415

    found = catalogue.vacuous()
    assert found.relative == math.inf
    assert not found.ok


def test_negative_control_a_gradient_that_is_no_number_is_red() -> None:
    from suites.gradients import catalogue  # noqa: PLC0415

    found = catalogue.not_a_number()
    assert math.isnan(found.relative)
    assert not found.ok


@pytest.mark.parametrize("name", ["rms_norm_llama", "softmax", "decoder_layer_llama"])
def test_negative_control_with_the_casts_to_float32_the_stock_layer_fails(name: str) -> None:
    from suites.gradients import catalogue  # noqa: PLC0415

    assert not all(m.ok for m in catalogue.with_casts(name))


@pytest.mark.parametrize("name", ["rms_norm_gemma", "attention_full_pass", "model_loss_llama"])
def test_removing_the_casts_changes_the_value_by_rounding_alone(name: str) -> None:
    from suites.gradients import catalogue  # noqa: PLC0415

    assert 0 < catalogue.cast_distance(name) < 1e-5
