"""The judges of measured rows: a planted defect turns each red, its healthy neighbour is green."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_modelqa.checks.numeric import (
    MEASURED,
    Chaos,
    Fuzz,
    Gradients,
    Memory,
    Training,
    numeric,
)
from pytest_modelqa.core.check import Check
from pytest_modelqa.core.measuring import Measure, Measured, MeasuredRow, Measurement, Value
from pytest_modelqa.core.model import ArtifactSpec, Cell
from pytest_modelqa.core.verdict import Outcome, Verdict
from tests.checks.numeric.rows import HEALTHY, PLANTED

CELL = Cell(
    artifact=ArtifactSpec(model="m", format="gguf", quantization="f16"),
    backend="cpu",
    modality="chat",
    engine="llamacpp",
)
CHECKS: dict[str, Check] = {
    "gradients": Gradients(layers=(0,)),
    "chaos": Chaos(faults=("truncated", "deleted")),
    "fuzz": Fuzz(targets=("header", "sizes"), iterations=100),
    "memory": Memory(approaches=("full", "lora")),
    "training": Training(stage="data"),
}


def judged(block: str, rows: list[dict[str, Value]]) -> Verdict:
    made = tuple(
        MeasuredRow(values=tuple(Measured(name=k, value=v) for k, v in row.items())) for row in rows
    )
    return CHECKS[block].judge({"rows": Measurement(rows=made)})


def changed(block: str, at: int, **values: Value) -> list[dict[str, Value]]:
    rows = [dict(row) for row in HEALTHY[block]]
    rows[at] |= values
    return rows


@pytest.mark.parametrize("block", MEASURED)
def test_healthy_rows_are_corroborated_one_part_a_row(block: str) -> None:
    verdict = judged(block, HEALTHY[block])
    assert verdict.outcome is Outcome.CORROBORATED, verdict
    assert verdict.tested == len(HEALTHY[block])
    assert [part.name for part in verdict.parts] == [row["name"] for row in HEALTHY[block]]


@pytest.mark.parametrize(
    ("block", "values", "said"),
    [(block, values, said) for block, plants in PLANTED.items() for values, said in plants],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_negative_control_a_planted_row_is_red(
    block: str, values: Mapping[str, Value], said: str
) -> None:
    verdict = judged(block, changed(block, 1, **values))
    assert verdict.outcome is Outcome.FALSIFIED, verdict
    assert said in verdict.reason
    assert sum(part.outcome is Outcome.FALSIFIED for part in verdict.parts) == 1


@pytest.mark.parametrize("block", MEASURED)
def test_negative_control_no_rows_decide_nothing(block: str) -> None:
    verdict = judged(block, [])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.remedy


@pytest.mark.parametrize("block", MEASURED)
def test_negative_control_a_row_that_was_asked_and_is_missing_decides_nothing(block: str) -> None:
    verdict = judged(block, HEALTHY[block][:1])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "was asked, and has no row" in verdict.reason


@pytest.mark.parametrize("block", MEASURED)
def test_negative_control_an_empty_row_never_passes(block: str) -> None:
    verdict = judged(block, [*HEALTHY[block], {"name": "empty"}])
    assert verdict.outcome in (Outcome.FALSIFIED, Outcome.INCONCLUSIVE)


@pytest.mark.parametrize("block", MEASURED)
def test_negative_control_each_number_that_is_lost_never_passes(block: str) -> None:
    needed = {
        "gradients": ("relative_error", "absolute_error", "largest"),
        "chaos": ("outcome", "expected"),
        "fuzz": ("iterations", "violations", "crashes"),
        "memory": ("planned_bytes", "measured_bytes"),
        "training": ("value", "tested", "most"),
    }
    for key in needed[block]:
        for lost in (None, "", math.nan, True):
            verdict = judged(block, changed(block, 1, **{key: lost}))
            assert verdict.outcome is not Outcome.CORROBORATED, (key, lost)


@pytest.mark.parametrize("block", MEASURED)
def test_negative_control_rows_without_a_name_or_of_one_name_are_red(block: str) -> None:
    nameless = judged(block, changed(block, 1, name=""))
    assert nameless.outcome is Outcome.FALSIFIED
    assert "no name" in nameless.reason
    twice = judged(block, changed(block, 1, name=HEALTHY[block][0]["name"]))
    assert twice.outcome is Outcome.FALSIFIED
    assert "a second row" in twice.reason


def test_a_derivative_that_vanishes_on_both_sides_is_told_and_is_no_defect() -> None:
    noise = {"relative_error": 1.0, "absolute_error": 1e-12, "largest": 1e-12}
    verdict = judged("gradients", changed("gradients", 1, **noise))
    assert verdict.outcome is Outcome.CORROBORATED
    assert f"the derivative is zero of {HEALTHY['gradients'][1]['name']}" in verdict.reason


def test_negative_control_a_part_whose_derivatives_all_vanish_is_not_decided() -> None:
    rows = [dict(row) for row in HEALTHY["gradients"]]
    for row in rows:
        if row["part"] == "loss":
            row |= {"relative_error": math.inf, "absolute_error": 0.0, "largest": 0.0}
    verdict = judged("gradients", rows)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "loss: was asked" in verdict.reason


def test_negative_control_a_resolution_that_excuses_everything_excuses_nothing() -> None:
    absurd = {"relative_error": 0.01, "absolute_error": 0.01, "resolution": 1e9}
    assert judged("gradients", changed("gradients", 1, **absurd)).outcome is Outcome.FALSIFIED


def test_the_bounds_are_those_of_the_playbook() -> None:
    (loose,) = numeric("gradients", (), {"layers": [0], "max_relative_error": 0.1})
    assert isinstance(loose, Gradients)
    assert (loose.layers, loose.max_relative_error) == ((0,), 0.1)
    rows = changed("memory", 1, measured_bytes=130_000_000)
    assert judged("memory", rows).outcome is Outcome.FALSIFIED
    made = Measurement(
        rows=tuple(
            MeasuredRow(values=tuple(Measured(name=k, value=v) for k, v in row.items()))
            for row in rows
        )
    )
    wide = Memory(approaches=("full", "lora"), max_peak_error=0.5)
    assert wide.judge({"rows": made}).outcome is Outcome.CORROBORATED


def test_packed_weights_may_differ_by_one_per_cent_and_no_more() -> None:
    near = changed("memory", 1, kind="packed", measured_bytes=100_900_000)
    assert judged("memory", near).outcome is Outcome.CORROBORATED
    far = changed("memory", 1, kind="packed", measured_bytes=101_100_000)
    assert judged("memory", far).outcome is Outcome.FALSIFIED


def test_a_step_that_is_too_small_to_be_measured_decides_nothing() -> None:
    small = changed("memory", 1, planned_bytes=16_500_000, measured_bytes=16_400_000)
    verdict = judged("memory", small)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "too small a step" in verdict.reason
    assert "memory.tokens" in verdict.remedy


def test_two_gates_share_one_measurement() -> None:
    checks = list(numeric("fuzz", ("F-A", "F-B"), {"targets": ["header"], "seed": 3}))
    assert [check.name for check in checks] == ["fuzz[F-A]", "fuzz[F-B]"]
    asked: set[Any] = {request for c in checks for request in c.requests(CELL).values()}
    (request,) = asked
    assert isinstance(request, Measure)
    assert request.arguments["targets"] == "header"
    assert request.arguments["seed"] == 3
    assert request.budget_s == 60
