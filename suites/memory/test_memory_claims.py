"""What is claimed for LoRA and QLoRA, decided by exact figures: where it holds, and where not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from suites.conftest import Record
from training import plan_memory
from training.memory import MODELS, Approach
from training.memory.approach import ALL_PROJECTIONS, ATTENTION
from training.memory.claims import claims

pytestmark = [pytest.mark.tier2, pytest.mark.qual]

_TARGETS = {"attention": ATTENTION, "all": ALL_PROJECTIONS}

LEAVES_MORE_THAN_99 = {
    (16, "attention"): {
        "toy_124m", "llama-2-7b", "llama-2-13b", "llama-2-70b", "qwen2.5-coder-7b",
    },
    (64, "attention"): {"llama-2-7b", "llama-2-13b", "llama-2-70b", "qwen2.5-coder-7b"},
    (16, "all"): {"llama-2-7b", "llama-2-13b", "llama-2-70b", "qwen2.5-coder-7b"},
    (64, "all"): set(),
}  # fmt: skip
"""Where LoRA leaves more than 99 % of the parameters alone, by rank and targets."""

LARGE = {"llama-2-7b", "llama-2-13b", "llama-2-70b", "qwen2.5-coder-7b"}


@pytest.mark.parametrize(("rank", "targets"), LEAVES_MORE_THAN_99)
def test_lora_leaves_more_than_99_percent_alone_where_it_does(
    rank: int, targets: str, row: Record
) -> None:
    for name, model in MODELS.items():
        held = claims(model, Approach(rank=rank, targets=_TARGETS[targets]))
        row(
            "memory_claims",
            {
                "model": name,
                "rank": rank,
                "targets": targets,
                "lora_leaves_alone_%": f"{float(100 * held.reduction):.3f}",
                "more_than_99_%": held.reduces,
                "qlora_saves_of_full_%": f"{float(100 * held.saved_of_full):.1f}",
                "qlora_saves_of_lora_%": f"{float(100 * held.saved_of_lora):.1f}",
                "qlora_saves_of_base_%": f"{float(100 * held.saved_of_base):.1f}",
            },
        )
        assert held.reduces == (name in LEAVES_MORE_THAN_99[rank, targets]), name


def test_negative_control_the_toy_at_rank_64_does_not_reach_99_percent() -> None:
    toy = MODELS["toy_124m"]
    held = claims(toy, Approach(rank=64, targets=ATTENTION))
    assert not held.reduces
    assert float(100 * held.reduction) == pytest.approx(97.18, abs=0.005)
    assert claims(toy, Approach(rank=16, targets=ATTENTION)).reduces


def test_qlora_saves_more_than_70_percent_of_full_training_of_the_large_models() -> None:
    for name in LARGE:
        assert claims(MODELS[name], Approach()).saves_of_full, name


def test_qlora_saves_more_than_70_percent_of_the_base_where_the_tables_are_a_small_part() -> None:
    saved = {name: claims(model, Approach()).saved_of_base for name, model in MODELS.items()}
    assert {name for name, share in saved.items() if share > Fraction(7, 10)} == LARGE


def test_negative_control_qlora_does_not_save_70_percent_of_a_step_full_of_activations() -> None:
    long = Approach(tokens=4096)
    assert not claims(MODELS["llama-2-7b"], long).saves_of_lora
    short = claims(MODELS["llama-2-7b"], replace(long, tokens=64))
    assert short.saves_of_lora


def test_double_quantisation_saves_three_eighths_of_a_bit_per_weight() -> None:
    # QLoRA (Dettmers et al. 2023), section 3: 0.5 bits of scales become 0.127, 0.373 less
    model = MODELS["llama-2-7b"]
    single, double = (
        plan_memory(model, Approach(kind="qlora", double_quantisation=double)).scale_bytes
        for double in (False, True)
    )
    assert 8 * single / model.matrix_weights == pytest.approx(0.5, abs=1e-4)
    assert 8 * double / model.matrix_weights == pytest.approx(0.127, abs=5e-4)


def test_negative_control_the_rounded_half_byte_of_the_seed_is_not_what_is_stored() -> None:
    model = MODELS["toy_124m"]
    plan = plan_memory(model, "qlora")
    assert plan.weight_bytes + plan.scale_bytes > 3 * model.parameters // 2  # embeddings stay whole
    assert plan.weight_bytes < 4 * model.parameters
