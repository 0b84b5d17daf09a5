"""Budgets: what is allowed by type, what a file may say, and what calibration makes of numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_modelqa.checks.parity.budget import budget_for, ceiling
from pytest_modelqa.checks.parity.calibration import FACTOR, in_order, limits, measured
from pytest_modelqa.checks.parity.greedy import GreedyParity
from pytest_modelqa.checks.parity.logits import LogitsParity
from pytest_modelqa.checks.parity.texts import long_text
from pytest_modelqa.core.errors import Refused, UsageError
from pytest_modelqa.core.model import Artifact, ArtifactSpec
from tests.checks.parity.answers import NOISE, compared

ROOT = Path(__file__).parents[3]
BUDGETS = sorted((ROOT / "playbooks" / "budgets").glob("*.json"))
SCHEMA = json.loads((ROOT / "pytest_modelqa" / "schemas" / "budget.schema.json").read_text())


def test_a_ceiling_grows_as_bits_go() -> None:
    order = ("f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q3_k_m", "q2_k")
    allowed = [ceiling(q).max_kl for q in order]
    assert all(a is not None for a in allowed)
    assert allowed == sorted(allowed, key=lambda a: a or 0.0)
    assert len(set(allowed)) == len(order)


@pytest.mark.parametrize("name", ["q4_0", "q4_1", "iq4_xs", "int4", "nf4", "mxfp4", "q4_k_s"])
def test_types_of_as_many_bits_share_a_ceiling(name: str) -> None:
    assert ceiling(name) == ceiling("q4_k_m")


@pytest.mark.parametrize("name", ["", "mystery", "x4", "q9_0"])
def test_an_unknown_type_has_no_ceiling(name: str) -> None:
    assert ceiling(name).max_kl is None


def test_what_is_not_calibrated_says_so() -> None:
    assert budget_for("q4_k_m", None).source == "uncalibrated ceiling for q4_k_m"
    file = {"quantizations": {"q8_0": {"limits": {"max_kl": 0.02}}}}
    assert budget_for("q4_k_m", file).source == "uncalibrated ceiling for q4_k_m"
    found = budget_for("q8_0", file)
    assert (found.source, found.limits.max_kl) == ("calibrated for q8_0", 0.02)


@pytest.mark.parametrize(
    "file",
    [
        {},
        {"quantizations": []},
        {"quantizations": {"q8_0": {}}},
        {"quantizations": {"q8_0": {"limits": {"max_kll": 1}}}},
        {"quantizations": {"q8_0": {"limits": {"max_kl": math.nan}}}},
        {"quantizations": {"q8_0": {"limits": {"max_kl": math.inf}}}},
        {"quantizations": {"q8_0": {"limits": {"max_kl": -1}}}},
        {"quantizations": {"q8_0": {"limits": {"max_kl": "1"}}}},
        {"quantizations": {"q8_0": {"limits": {"max_kl": True}}}},
    ],
)
def test_a_file_that_would_let_everything_pass_is_refused(file: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="not a budget file"):
        budget_for("q8_0", file)
    with pytest.raises(UsageError, match="not a budget file"):
        LogitsParity(prompts=("a",), budget=file)
    with pytest.raises(UsageError, match="not a budget file"):
        GreedyParity(prompts=("a",), budget=file)


def test_limits_are_the_measured_values_times_a_factor() -> None:
    seen = {f"prompt {n}": compared(100 + n, 1e-4 * (1 + n / 10)) for n in range(5)}
    found = measured(seen)
    assert (found["texts"], found["positions"]) == (5, 200)
    assert found["kl_mean"] == pytest.approx(1.2e-4)
    made = limits(found, NOISE)
    assert made["max_kl"] == pytest.approx(FACTOR * (found["kl_mean"] + found["kl_margin"]))
    assert made["tolerance"] == pytest.approx(FACTOR * 0.001)
    assert 0.9 < made["min_top1"] < 1


def test_a_conversion_without_numbers_is_no_measure() -> None:
    broken = {"prompt 0": compared(1), "prompt 1": compared(2, (math.nan,) * 40)}
    with pytest.raises(Refused, match="not finite"):
        measured(broken)
    with pytest.raises(Refused, match="not finite"):
        measured({})
    with pytest.raises(Refused, match="one prompt"):
        measured({"prompt 0": compared(1)})


def test_a_finer_type_is_held_to_the_limits_of_a_coarser_one() -> None:
    names = ("max_kl", "max_kl_p99", "max_kl_max", "tolerance")

    def entry(mean: float) -> dict[str, Any]:
        return {"limits": dict.fromkeys(names, 2 * mean), "measured": {"kl_mean": mean}, "note": ""}

    entries = {
        "q5_k_m": entry(0.1),
        "q4_k_m": entry(0.05),
        "q8_0": entry(0.01),
        "q4_1": entry(1e-3),
    }
    in_order(entries)
    assert entries["q5_k_m"]["limits"]["max_kl"] == pytest.approx(0.1)
    assert "worse than q4_k_m" in entries["q5_k_m"]["note"]
    assert entries["q8_0"]["limits"]["max_kl"] == pytest.approx(0.02)
    assert entries["q4_k_m"]["note"] == ""
    bad = {"q4_0": entry(0.5)}
    in_order(bad)
    assert bad["q4_0"]["limits"]["max_kl"] == ceiling("q4_0").max_kl
    assert "no known-good conversion" in bad["q4_0"]["note"]


def _reference(sha256: str, parent: str = "", quantization: str = "f32") -> Artifact:
    spec = ArtifactSpec(model="a/b", format="safetensors", quantization=quantization)
    return Artifact(
        spec=spec, path=Path("x"), sha256=sha256, bytes=1, pinned=False, parent_sha256=parent
    )


def _budget_of(**of: str) -> dict[str, Any]:
    said = {"format": "safetensors", "quantization": "f32", **of}
    return {"model": "c/d", "reference": said, "quantizations": {}}


@pytest.mark.parametrize("check", [LogitsParity, GreedyParity])
def test_a_budget_holds_for_the_reference_it_was_measured_on_alone(
    check: type[LogitsParity] | type[GreedyParity],
) -> None:
    budget = _budget_of(sha256="1" * 64, parent_sha256="2" * 64)
    own = check(prompts=("a",), budget=budget)
    assert own.unfit_for(_reference("1" * 64)) == ""
    assert own.unfit_for(_reference("9" * 64, parent="2" * 64)) == "", "written anew"
    told = own.unfit_for(_reference("9" * 64, parent="3" * 64))
    assert (
        told == "the budget was measured on c/d (111111111111), the reference is a/b (999999999999)"
    )
    assert own.unfit_for(_reference("9" * 64, parent="2" * 64, quantization="bf16")) != ""
    assert check(prompts=("a",)).unfit_for(_reference("9" * 64)) == ""


def test_a_budget_of_a_file_without_parent_is_not_that_of_another_without() -> None:
    budget = _budget_of(sha256="1" * 64, parent_sha256="")
    assert LogitsParity(prompts=("a",), budget=budget).unfit_for(_reference("9" * 64)) != ""


def test_a_budget_that_does_not_say_of_what_it_is_holds_for_nothing() -> None:
    told = LogitsParity(prompts=("a",), budget={"quantizations": {}}).unfit_for(_reference("1"))
    assert told == "the budget does not say which reference it was measured on"


def test_there_are_committed_budgets() -> None:
    assert {f.stem for f in BUDGETS} >= {"smollm2-135m-instruct"}


@pytest.mark.parametrize("file", BUDGETS, ids=lambda f: f.stem)
def test_a_committed_budget_is_of_its_schema_and_can_be_read(file: Path) -> None:
    budget = json.loads(file.read_text())
    jsonschema.validate(budget, SCHEMA)
    for name in budget["quantizations"]:
        found = budget_for(name, budget)
        assert found.source == f"calibrated for {name}"
        assert found.limits.max_kl is not None


def test_a_long_text_is_long_enough_always_the_same_and_does_not_repeat() -> None:
    text = long_text(3000)
    sentences = text.split(". ")
    assert len(text.split()) >= 3000
    assert long_text(5000).startswith(text[:-1])
    assert len(set(sentences)) == len(sentences)
    assert long_text(0) == ""
