"""Counts and bytes of a plan are those of transformers, peft and torch, exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suites.conftest import Record
from suites.memory import defects
from suites.memory.defects import Defect
from suites.memory.judging import differences
from suites.memory.names import APPROACHES, FULL, MODELS
from training import plan_memory
from training.memory import MODELS as KNOWN
from training.memory import Approach
from training.memory.approach import ALL_PROJECTIONS, ATTENTION

pytestmark = [pytest.mark.tier2, pytest.mark.qual, pytest.mark.usefixtures("one_thread")]

_ON_LLAMA = [name for name in APPROACHES if name not in FULL]
_PAIRS = [
    *((model, approach) for model in MODELS for approach in ("full", "full bfloat16")),
    *((model, "lora all bfloat16 0.1") for model in MODELS),
    *(("llama", approach) for approach in (*_ON_LLAMA, "full momentum", "full sgd")),
]


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_model_has_the_parameters_that_transformers_counts(name: str, row: Record) -> None:
    from suites.memory import real  # noqa: PLC0415 - imports torch

    plan = plan_memory(name)
    made = real.without_weights(KNOWN[name], plan.approach)
    parameters = sum(p.numel() for p in made.parameters())
    row(
        "memory_counts",
        {"model": name, "planned": plan.parameters, "transformers": parameters},
    )
    assert plan.parameters == plan.trainable_parameters == parameters
    assert plan.architecture.tensors == len(list(made.parameters()))


@pytest.mark.parametrize("targets", [ATTENTION, ALL_PROJECTIONS], ids=["attention", "all"])
@pytest.mark.parametrize("name", ["llama-2-7b", "qwen2.5-coder-7b"])
def test_adapters_have_the_parameters_that_peft_counts(name: str, targets: tuple[str, ...]) -> None:
    from suites.memory import real  # noqa: PLC0415

    lora = Approach(kind="lora", rank=16, targets=targets)
    model = replace(KNOWN[name], num_hidden_layers=2)  # peft wraps 400 projections a second
    plan, made = plan_memory(model, lora), real.without_weights(model, lora)
    assert made.get_nb_trainable_parameters() == (plan.trainable_parameters, plan.parameters)
    whole = plan_memory(KNOWN[name], lora)
    assert 2 * whole.adapter_parameters == (KNOWN[name].num_hidden_layers * plan.adapter_parameters)


@pytest.mark.parametrize(("model", "approach"), _PAIRS)
def test_every_part_of_a_plan_is_what_torch_allocates(model: str, approach: str) -> None:
    from suites.memory import real  # noqa: PLC0415

    plan = plan_memory(MODELS[model], APPROACHES[approach])
    assert differences(plan, real.allocated(MODELS[model], APPROACHES[approach])) == {}


@pytest.mark.parametrize(
    ("defect", "model", "approach", "parts"),
    [
        (defects.without_gradients, "llama", "full", {"gradients"}),
        (defects.without_moments, "llama", "full", {"optimizer"}),
        (defects.without_activations, "llama", "lora all float32 0.0", {"activations"}),
        (defects.tied_counted_twice, "tied", "full", {"parameters", "trainable", "weights"}),
        (defects.all_heads_have_keys, "llama", "full", {"parameters", "trainable", "weights"}),
    ],
)
def test_negative_control_a_planner_that_forgets_or_counts_twice_is_red(
    defect: Defect, model: str, approach: str, parts: set[str]
) -> None:
    from suites.memory import real  # noqa: PLC0415

    plan = plan_memory(MODELS[model], APPROACHES[approach])
    found = real.allocated(MODELS[model], APPROACHES[approach])
    assert set(differences(defect(plan), found)) == parts
    assert differences(plan, found) == {}


def test_the_sizes_that_a_config_leaves_out_are_those_of_transformers() -> None:
    from transformers import AutoConfig  # noqa: PLC0415

    from training.memory.architecture import FAMILIES, from_mapping  # noqa: PLC0415

    sizes = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
             "num_attention_heads")  # fmt: skip
    for family in FAMILIES:
        theirs = AutoConfig.for_model(family)
        given = {name: getattr(theirs, name) for name in sizes}
        ours = from_mapping({"model_type": family, **given})
        assert ours.key_heads == theirs.num_key_value_heads, family
        assert ours.tie_word_embeddings == theirs.tie_word_embeddings, family
        assert ours.width == (getattr(theirs, "head_dim", None) or 128), family
