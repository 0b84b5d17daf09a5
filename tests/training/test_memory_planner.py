"""The planner of memory: exact integers, typed errors, and a fit that is one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelqa.core.errors import UsageError
from suites.property.seeds import checked
from training import plan_memory
from training.memory import MODELS, Approach, Architecture
from training.memory.approach import ALL_PROJECTIONS, ATTENTION
from training.memory.fit import budget, fit
from training.memory.quantised import nf4
from training.memory.sizes import LARGEST

SIZES: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
WRONG: dict[str, object] = {
    "zero": 0, "negative": -1, "true": True, "fraction": 1.5, "float": 16.0, "text": "16",
    "beyond int64": LARGEST + 1, "5000 digits": 10**5000, "a list of such": [10**5000],
}  # fmt: skip
CONFIG = {"model_type": "llama", **SIZES}


def test_a_small_model_has_the_parameters_that_are_counted_by_hand() -> None:
    plan = plan_memory(CONFIG)
    attention, mlp, norms = 4 * 16 * 16, 3 * 16 * 24, 2 * 16
    assert plan.parameters == 2 * 100 * 16 + 2 * (attention + mlp + norms) + 16
    assert plan.weight_bytes == plan.gradient_bytes == 4 * plan.parameters
    assert plan.optimizer_bytes == 8 * plan.parameters + 4 * (2 + 1 + 2 * 9)
    assert plan.trainable_share == 1


def test_tied_tables_count_once_and_key_heads_make_keys_smaller() -> None:
    whole = plan_memory(CONFIG).parameters
    assert plan_memory(CONFIG | {"tie_word_embeddings": True}).parameters == whole - 1600
    assert plan_memory(CONFIG | {"num_key_value_heads": 1}).parameters == whole - 2 * 2 * 16 * 12


def test_qwen2_has_biases_on_queries_keys_and_values_alone() -> None:
    llama = plan_memory(CONFIG).parameters
    assert plan_memory(CONFIG | {"model_type": "qwen2", "num_key_value_heads": 4}).parameters == (
        llama + 2 * 3 * 16
    )


def test_adapters_count_rank_times_inputs_and_outputs() -> None:
    plan = plan_memory(CONFIG, Approach(kind="lora", rank=3, targets=("q_proj", "down_proj")))
    assert plan.adapter_parameters == plan.trainable_parameters == 2 * 3 * (16 + 16 + 24 + 16)
    assert plan.trainable_share == plan.adapter_parameters / plan.parameters
    assert plan.gradient_bytes == plan.adapter_bytes == 4 * plan.adapter_parameters


@pytest.mark.parametrize(
    ("numbers", "double", "codes", "scales", "tables"),
    [
        (64, False, 32, 4, 64),
        (65, False, 33, 8, 64),
        (64, True, 32, 1 + 4 + 4, 64 + 1024),
        (64 * 257, True, 32 * 257, 257 + 8 + 4, 64 + 1024),
    ],
)
def test_nf4_has_its_scales_in_whole_blocks(
    numbers: int, double: bool, codes: int, scales: int, tables: int
) -> None:
    found = nf4(numbers, double=double)
    assert (found.codes, found.scales, found.tables) == (codes, scales, tables)
    assert found.total == codes + scales + tables


@pytest.mark.parametrize("key", SIZES)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_size_that_is_none_is_an_error_that_names_it(key: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=key) as caught:
        plan_memory(CONFIG | {key: WRONG[wrong]})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("key", CONFIG)
def test_a_size_that_is_missing_is_an_error_that_names_it(key: str) -> None:
    without = {name: value for name, value in CONFIG.items() if name != key}
    with pytest.raises(UsageError, match=f"no {key}"):
        plan_memory(without)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_attention_heads": 3}, "no multiple of num_attention_heads 3"),
        ({"num_key_value_heads": 3}, "no multiple of num_key_value_heads 3"),
        ({"num_key_value_heads": 0}, "num_key_value_heads is 0"),
        ({"num_attention_heads": 16}, "1 dimensions"),
        ({"head_dim": 5}, "5 dimensions"),
        ({"model_type": "mamba"}, "mamba"),
        ({"model_type": ["llama"]}, "not planned"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"attention_bias": 1}, "attention_bias"),
    ],
)
def test_sizes_that_do_not_fit_together_are_errors(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan_memory(CONFIG | change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"rank": 1.0}, "rank is 1.0"),
        ({"batch": -1}, "batch is -1"),
        ({"tokens": LARGEST + 1}, "tokens"),
        ({"kind": "dora"}, "known: full, lora, qlora"),
        ({"weights": "int3"}, "known: float32, bfloat16"),
        ({"optimizer": "lion"}, "known: adamw"),
        ({"targets": ()}, "at least one"),
        ({"targets": "q_proj"}, "at least one"),
        ({"targets": ("w_proj",)}, "w_proj"),
        ({"targets": ("q_proj", "q_proj")}, "twice"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": float("nan")}, "dropout"),
        ({"dropout": True}, "dropout"),
        ({"checkpointing": 1}, "checkpointing"),
    ],
)
def test_an_approach_that_is_none_is_an_error(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Approach(**change)


@pytest.mark.parametrize("source", ["nosuch", "", "\0", "x" * 10_000, 7, None])
def test_a_source_that_is_none_is_an_error(source: Any) -> None:
    with pytest.raises(UsageError):
        plan_memory(source)


@pytest.mark.parametrize("text", ["", "[]", "{", "\0", '{"vocab_size": 1e400}', "[" * 100_000])
def test_a_file_that_is_no_configuration_is_an_error_that_names_it(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    for source in (file, tmp_path):
        with pytest.raises(UsageError, match=r"config\.json"):
            plan_memory(source)


def test_a_configuration_is_read_from_its_file_and_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"rope_theta": 1e4}))
    assert (
        plan_memory(tmp_path) == plan_memory(str(tmp_path / "config.json")) == plan_memory(CONFIG)
    )


def test_the_largest_sizes_are_exact_integers() -> None:
    huge = Architecture(
        vocab_size=LARGEST,
        hidden_size=2**62,
        intermediate_size=LARGEST,
        num_hidden_layers=LARGEST,
        num_attention_heads=1,
    )
    plan = plan_memory(huge)
    layer = 4 * 2**124 + 3 * 2**62 * LARGEST + 2 * 2**62
    assert plan.parameters == 2 * LARGEST * 2**62 + LARGEST * layer + 2**62
    assert plan.total_bytes == sum(plan.parts.values())
    assert plan.total_bytes > 16 * plan.parameters
    assert plan_memory(huge, "qlora").trainable_share < 1e-15


def test_planning_imports_no_torch_and_no_pydantic() -> None:
    code = "import sys, training; training.plan_memory('toy_124m'); print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "transformers", "numpy", "pydantic", "rich"} & set(found)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    keys = draw(st.integers(1, 8))
    heads = keys * draw(st.integers(1, 8))
    return Architecture(
        family=draw(st.sampled_from(["llama", "qwen2", "qwen3", "gemma"])),
        vocab_size=draw(st.integers(1, 10**6)),
        hidden_size=draw(st.integers(1, 10**4)),
        intermediate_size=draw(st.integers(1, 10**5)),
        num_hidden_layers=draw(st.integers(1, 1000)),
        num_attention_heads=heads,
        num_key_value_heads=keys,
        head_dim=2 * draw(st.integers(1, 128)),
        tie_word_embeddings=draw(st.booleans()),
    )


@st.composite
def approaches(draw: st.DrawFn) -> Approach:
    return Approach(
        kind=draw(st.sampled_from(["full", "lora", "qlora"])),
        rank=draw(st.integers(1, 1024)),
        targets=tuple(draw(st.sets(st.sampled_from(ALL_PROJECTIONS), min_size=1))),
        dropout=draw(st.sampled_from([0.0, 0.1])),
        weights=draw(st.sampled_from(["float32", "bfloat16"])),
        double_quantisation=draw(st.booleans()),
        optimizer=draw(st.sampled_from(["adamw", "momentum", "sgd"])),
        batch=draw(st.integers(1, 64)),
        tokens=draw(st.integers(1, 8192)),
        checkpointing=draw(st.booleans()),
    )


@checked(200)
@given(architectures(), approaches())
def test_no_moment_of_a_step_takes_more_than_all_parts(
    model: Architecture, approach: Approach
) -> None:
    plan = plan_memory(model, approach)
    assert all(count >= 0 for count in plan.parts.values())
    assert plan.static_bytes < plan.peak_bytes <= plan.total_bytes
    assert 0 < plan.trainable_share <= 1


@checked(100)
@given(architectures(), approaches(), st.integers(10**6, 10**13))
def test_what_is_fitted_fits_and_a_larger_batch_would_not(
    model: Architecture, wanted: Approach, room: int
) -> None:
    least = replace(wanted, kind="qlora", checkpointing=True, batch=1)
    try:
        found = fit(model, wanted, room)
    except UsageError:
        assert plan_memory(model, least).total_bytes > room
        return
    chosen = found.plan.approach
    assert found.plan == plan_memory(model, chosen)
    assert found.plan.total_bytes <= room
    assert chosen.batch <= wanted.batch
    if chosen.batch < wanted.batch:
        assert plan_memory(model, replace(chosen, batch=chosen.batch + 1)).total_bytes > room
    assert bool(found.given_up) == (chosen != wanted)


def test_the_ladder_goes_from_batches_to_lora_to_qlora_to_checkpointing() -> None:
    model, wanted = MODELS["llama-2-7b"], Approach(batch=4)
    seen = [fit(model, wanted, room * 10**9).given_up for room in (140, 120, 60, 30, 13, 7)]
    assert seen == [
        (),
        ("batch 4 -> 1",),
        ("full -> lora",),
        ("full -> qlora",),
        ("batch 4 -> 1", "full -> qlora"),
        ("batch 4 -> 2", "full -> qlora", "checkpointing"),
    ]
    with pytest.raises(UsageError, match="nothing fits into 1,000 bytes"):
        fit(model, wanted, 1000)


def test_what_is_wanted_is_not_taken_away_again() -> None:
    wanted = Approach(kind="qlora", checkpointing=True, targets=ATTENTION)
    found = fit(MODELS["llama-2-7b"], wanted, 10**12)
    assert found.plan.approach == wanted
    assert found.given_up == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24GB", 24 * 10**9),
        ("22.5 GiB", 45 * 2**29),
        ("1b", 1),
        ("0.5kb", 500),
        ("7tib", 7 * 2**40),
    ],
)
def test_a_budget_is_a_number_and_a_unit(text: str, expected: int) -> None:
    assert budget(text) == expected


@pytest.mark.parametrize("text", ["", "24", "-1GB", "0GB", "1e3GB", "24 parsecs", "GB", "nanGB"])
def test_a_budget_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(UsageError):
        budget(text)
