"""Every gradient of every check against central differences, beside the older suite's setting."""

from __future__ import annotations

import time

import pytest

from suites.conftest import Record
from suites.gradients.names import CHECKS

pytestmark = [pytest.mark.tier1, pytest.mark.qual, pytest.mark.usefixtures("one_thread")]


@pytest.mark.parametrize("name", CHECKS)
def test_gradient_agrees_with_central_differences(name: str, row: Record) -> None:
    from suites.gradients import catalogue  # noqa: PLC0415 - imports torch

    started = time.perf_counter()
    found = catalogue.measured(name)
    seconds = time.perf_counter() - started
    seed = catalogue.seed_setting(name)
    worst = max(found, key=lambda m: m.relative)
    row(
        "gradients",
        {
            "check": name,
            "subject": catalogue.prepared(name).case.subject,
            "tensors": len(found),
            "probes": sum(m.probes for m in found),
            "max_absolute": max(m.absolute for m in found),
            "max_relative": worst.relative,
            "worst": worst.tensor,
            "milliseconds": round(seconds * 1000, 1),
            "casts_removed": catalogue.prepared(name).casts,
            "seed_setting_error": seed.absolute,
            "seed_setting_passes": seed.passes,
            "seed_setting_passes_zeros": seed.zeros_pass,
        },
    )
    wrong = [m.tensor for m in found if not m.ok]
    assert not wrong, catalogue.worst_place(name, wrong[0])
    assert seed.passes


def test_every_named_check_has_a_case_and_every_case_a_name() -> None:
    from suites.gradients import catalogue  # noqa: PLC0415

    assert set(catalogue.CASES) == set(CHECKS)
    assert len(set(CHECKS)) == len(CHECKS)


def test_a_future_token_has_no_gradient_under_the_causal_mask() -> None:
    from suites.gradients import catalogue  # noqa: PLC0415

    gradient = catalogue.first_token_gradient(masked=True)
    assert float(gradient[:, :, 0].abs().max()) > 0
    assert float(gradient[:, :, 1:].abs().max()) == 0


def test_negative_control_without_the_mask_future_tokens_have_a_gradient() -> None:
    from suites.gradients import catalogue  # noqa: PLC0415

    gradient = catalogue.first_token_gradient(masked=False)
    assert float(gradient[:, :, 1:].abs().max()) > 1e-3
