"""Logits and greedy parity on a real model: planted defects turn red, healthy conversions do not.

The model is ci-light; its budget is the one that is committed with it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from pytest_modelqa.artifacts.defects.gguf_edit import Edit, rewrite
from pytest_modelqa.core.wire import decode_answer
from pytest_modelqa.playbook.blocks import PARITY_PROMPTS
from tests.checks.parity.measuring import Case, Told, measured

BUDGET = Path(__file__).with_name("ci_light_budget.json")
"""Written by `modelqa calibrate build:ci-light`."""

Array = NDArray[np.float32]


def scaled(values: Array) -> Array:
    return values * np.float32(1.01)


def with_nan(values: Array) -> Array:
    values[7] = np.nan
    return values


def swapped(values: Array) -> Array:
    """The two ids that stand for most of an answer about Paris change places."""
    values[[625, 299]] = values[[299, 625]]
    return values


PLANTS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "scaled": {"tensors": {"blk.1.ffn_down.weight": Edit(values=scaled)}},
    "nan": {"tensors": {"blk.2.attn_norm.weight": Edit(values=with_nan)}},
    "swapped": {"tensors": {"output.weight": Edit(values=swapped)}},
    "rope": {"metadata": {"llama.rope.freq_base": 20_000.0}},
}


def resized(folder: Path, to: Path, change: Callable[[Array], Array]) -> Path:
    """A copy whose embedding and head have other rows; the tokenizer stays as it is."""
    shutil.copytree(folder, to)
    file = next(to.glob("*.safetensors"))
    tensors = load_file(file)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        tensors[name] = np.ascontiguousarray(change(tensors[name]))
    save_file(tensors, file, metadata={"format": "pt"})
    config = json.loads((to / "config.json").read_text())
    config["vocab_size"] = len(tensors["lm_head.weight"])
    (to / "config.json").write_text(json.dumps(config))
    return to


def padded(values: Array) -> Array:
    """64 rows that are no id, which the head puts far below all others."""
    return np.concatenate([values, np.tile(values.mean(axis=0), (64, 1))])


@pytest.fixture(scope="module")
def told(ci_light: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What both checks say of every candidate."""
    folder, file = ci_light
    where = tmp_path_factory.mktemp("logits")
    budget = json.loads(BUDGET.read_text())
    usual = {"prompts": PARITY_PROMPTS, "budget": budget}
    cases = {}
    for name, edits in PLANTS.items():
        path = where / f"{name}.gguf"
        rewrite(file, path, **edits)
        cases[name] = Case(path, "logits", usual)
        cases[f"{name} greedy"] = Case(path, "greedy", usual)
    short = {"prompts": PARITY_PROMPTS[:3]}
    truncated = resized(folder, where / "truncated", lambda rows: rows[:1000])
    cases["truncated"] = Case(truncated, "logits", short)
    cases["padded"] = Case(resized(folder, where / "padded", padded), "logits", short)
    cases["itself"] = Case(
        folder, "logits", {**short, "max_kl": 1e-15, "lengths": [64, 256]}, "f32"
    )
    cases["one prompt"] = Case(where / "healthy.gguf", "logits", {"prompts": PARITY_PROMPTS[:1]})
    cases["seed"] = Case(where / "scaled.gguf", "logits", {**short, "min_cosine": 0.99})
    cases["too long"] = Case(file, "logits", {**short, "lengths": [64, 4096]})
    cases["uncalibrated"] = Case(where / "healthy.gguf", "logits", short)
    cases["unbounded"] = Case(where / "healthy.gguf", "logits", short, "x9_z")
    return measured(folder, cases)


@pytest.mark.parametrize("check", ["", " greedy"])
def test_a_healthy_conversion_is_corroborated(told: dict[str, Told], check: str) -> None:
    seen = told[f"healthy{check}"]
    assert seen.outcome == "corroborated", seen
    assert seen.tested > 80
    assert "calibrated for f16" in seen.reason or "texts are equal" in seen.reason


@pytest.mark.parametrize("defect", ["scaled", "swapped", "rope"])
def test_a_planted_defect_is_falsified_by_its_divergence(
    told: dict[str, Told], defect: str
) -> None:
    seen = told[defect]
    assert seen.outcome == "falsified", seen.reason
    assert "mean KL" in seen.reason


def test_nan_in_a_norm_is_falsified_and_counted(told: dict[str, Told]) -> None:
    seen = told["nan"]
    assert seen.outcome == "falsified"
    assert "of the candidate's logits are NaN or Inf" in seen.reason
    assert "NaN or Inf in the candidate's logits at step 0" in told["nan greedy"].reason


@pytest.mark.parametrize("defect", ["swapped", "nan"])
def test_greedy_texts_of_a_defect_part(told: dict[str, Told], defect: str) -> None:
    assert told[f"{defect} greedy"].outcome == "falsified", told[f"{defect} greedy"].reason


def test_a_flipped_choice_is_reported_with_both_texts_side_by_side(told: dict[str, Told]) -> None:
    seen = told["swapped greedy"]
    assert "flipped beyond a near-tie" in seen.reason
    assert "reference margin" in seen.reason
    assert "  reference: " in seen.detail
    assert "  candidate: " in seen.detail


def test_a_truncated_vocabulary_is_falsified_by_name(told: dict[str, Told]) -> None:
    seen = told["truncated"]
    assert seen.outcome == "falsified"
    assert "1024 ids in the reference, 1000 in the candidate" in seen.reason
    assert "the reference alone has id 1000" in seen.reason


def test_padding_of_one_side_is_left_out_and_said_so(told: dict[str, Told]) -> None:
    seen = told["padded"]
    answer: Any = decode_answer(seen.answers["prompt 0@f16"])
    assert (answer.compared, answer.extra, answer.extra_is_padding) == (1024, "candidate", True)
    assert 0 < answer.extra_mass < 1
    assert max(answer.kl) < 1e-9
    assert seen.outcome == "corroborated"
    assert "1024 are compared and the rest is padding" in seen.reason


def test_no_limit_is_below_the_reference_s_own_noise(told: dict[str, Told]) -> None:
    seen = told["itself"]
    noise: Any = decode_answer(seen.answers["noise@f32"])
    assert len(noise.reference) == len(noise.candidate) == 2
    assert max(v.kl_max for v in noise.reference) > 1e-15
    assert seen.outcome == "corroborated", seen.reason
    assert "mean KL at tokens 64 to 256" in seen.reason


def test_one_prompt_tells_no_error_and_does_not_pass(told: dict[str, Told]) -> None:
    assert told["one prompt"].outcome == "inconclusive"
    assert "two prompts or more" in told["one prompt"].reason


def test_the_seed_s_cosine_is_blind_to_what_the_budget_sees(told: dict[str, Told]) -> None:
    assert told["seed"].outcome == "corroborated", told["seed"].reason
    assert "smallest centred cosine" in told["seed"].reason
    assert told["scaled"].outcome == "falsified"


def test_a_length_beyond_the_context_is_unavailable_not_cut(told: dict[str, Told]) -> None:
    assert told["too long"].outcome == "unavailable"
    assert "the context holds 512" in told["too long"].reason


def test_without_a_budget_the_ceiling_says_that_it_is_uncalibrated(told: dict[str, Told]) -> None:
    assert "uncalibrated ceiling for f16" in told["uncalibrated"].reason
    assert told["unbounded"].outcome == "inconclusive"
    assert "nothing bounds it" in told["unbounded"].reason


def test_where_logits_differ_both_weights_are_tried_on_both_tokenizers(
    told: dict[str, Told],
) -> None:
    assert told["rope"].detail.count("weights on the") == 4
    assert "attribution@f16" not in told["healthy"].answers
    found: Any = decode_answer(told["rope"].answers["attribution@f16"])
    assert found.reference_ids == found.candidate_ids
    by = {(c.weights, c.tokenizer): c for c in found.cells}
    assert by["reference", "reference"].kl == 0
    noise: Any = decode_answer(told["rope"].answers["noise@f16"])
    assert by["candidate", "reference"].kl > 10 * max(v.kl_max for v in noise.candidate)
