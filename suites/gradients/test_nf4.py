"""The backward of bitsandbytes' NF4 layer, and of LoRA on it; planted backwards must be red."""

from __future__ import annotations

import time
from importlib.util import find_spec

import pytest

from suites.conftest import Record
from suites.gradients.names import DEFECTS, NF4

pytestmark = [pytest.mark.tier2, pytest.mark.qual, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module", autouse=True)
def bitsandbytes() -> None:
    """Without the library nothing is tested, and the command that brings it is told."""
    if find_spec("bitsandbytes") is None:
        pytest.skip(
            "unavailable: bitsandbytes is not installed; run: "
            'python -m pip install "pytest-modelqa[train]"'
        )


@pytest.mark.parametrize("name", NF4)
def test_nf4_gradient_agrees_with_autograd_through_the_dequantised_weight(
    name: str, row: Record
) -> None:
    from suites.gradients import nf4  # noqa: PLC0415 - imports torch and bitsandbytes

    started = time.perf_counter()
    (found,) = nf4.measured(name)
    forward = nf4.forward_error(name)
    row(
        "gradients_nf4",
        {
            "check": name,
            "subject": nf4.CASES[name]()[0].subject,
            "elements": found.probes,
            "max_absolute": found.absolute,
            "max_relative": found.relative,
            "forward_relative": forward,
            "milliseconds": round((time.perf_counter() - started) * 1000, 1),
        },
    )
    assert found.ok, found
    assert forward < 1e-6


def test_every_named_nf4_check_has_a_case_and_every_case_a_name() -> None:
    from suites.gradients import nf4  # noqa: PLC0415

    assert set(nf4.CASES) == set(NF4)


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("name", NF4)
def test_negative_control_a_wrong_nf4_backward_is_red(name: str, defect: str) -> None:
    from suites.gradients import nf4  # noqa: PLC0415
    from suites.gradients.defects import Defect  # noqa: PLC0415

    (found,) = nf4.measured(name, Defect(defect))
    assert not found.ok, found


def test_negative_control_a_weight_that_its_codes_do_not_stand_for_is_red(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from suites.gradients import nf4  # noqa: PLC0415

    right = nf4.dequantised
    monkeypatch.setattr(nf4, "dequantised", lambda made: right(made) * (1 + 1e-5))
    (found,) = nf4.measured("nf4_input")
    assert not found.ok
    assert nf4.forward_error("nf4_input") > 1e-6


def test_the_codes_themselves_have_no_gradient() -> None:
    from suites.gradients import nf4  # noqa: PLC0415

    assert nf4.gradient_of_codes() is None
