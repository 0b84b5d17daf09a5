"""The planner's numbers to the byte, and its errors to the word."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.core.errors import UsageError
from tests.training.memory_plans import DECODERS, NAMES, SAMPLE, plans
from training import plan_memory
from training.memory import MODELS, Approach, Architecture, architecture
from training.memory.fit import budget, fit
from training.memory.plan import quantised_matrices
from training.memory.quantised import nf4
from training.memory.sizes import LARGEST, at_least_one, shown, whole

LIST, HELP = "modelqa memory --list", "modelqa memory --help"
KNOWN = "toy_124m, smollm2-135m, llama-2-7b, llama-2-13b, llama-2-70b, qwen2.5-coder-7b"
CONFIG: dict[str, Any] = {
    "model_type": "llama", "vocab_size": 100, "hidden_size": 16, "intermediate_size": 24,
    "num_hidden_layers": 2, "num_attention_heads": 4,
}  # fmt: skip


def refused(call: Any, *arguments: Any, **named: Any) -> tuple[str, str, str]:
    with pytest.raises(UsageError) as caught:
        call(*arguments, **named)
    return caught.value.what, caught.value.where, caught.value.remedy


@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_every_plan_is_as_committed(name: str) -> None:
    committed = json.loads(SAMPLE.read_text(encoding="utf-8"))
    made = plans(name)
    assert made == committed[name]
    assert {type(number) for numbers in made for number in numbers} == {int}


def test_a_quantised_model_is_the_sum_of_its_matrices() -> None:
    decoder = DECODERS["qwen3"]
    for double in (False, True):
        each = [nf4(m.weights, double=double) for m in decoder.matrices] * 2
        found = quantised_matrices(decoder, double=double)
        assert found.codes == sum(q.codes for q in each)
        assert found.scales == sum(q.scales for q in each)
        assert found.tables == sum(q.tables for q in each)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"kind": "dora"}, "approach is 'dora'; known: full, lora, qlora"),
        ({"weights": "int3"}, "weights is 'int3'; known: float32, bfloat16"),
        ({"optimizer": "lion"}, "optimizer is 'lion'; known: adamw, momentum, sgd"),
        ({"rank": 0}, "rank is 0, not between 1 and 2**63 - 1"),
        ({"batch": "1"}, "batch is '1', not a whole number"),
        ({"tokens": True}, "tokens is True, not a whole number"),
        ({"checkpointing": 1}, "checkpointing is 1; known: True, False"),
        ({"double_quantisation": 0}, "double_quantisation is 0; known: True, False"),
        ({"targets": ()}, "targets is (): name at least one projection"),
        ({"targets": ["q_proj"]}, "targets is ['q_proj']: name at least one projection"),
        (
            {"targets": ("w",)},
            "targets is 'w'; known: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
        ),
        (
            {"targets": ("q_proj", "k_proj", "q_proj")},
            "targets names a projection twice: q_proj, k_proj, q_proj",
        ),
        ({"dropout": 1}, "dropout is 1, not from 0 to less than 1"),
        ({"dropout": -0.1}, "dropout is -0.1, not from 0 to less than 1"),
        ({"dropout": "0"}, "dropout is '0', not from 0 to less than 1"),
    ],
)
def test_an_approach_says_what_is_wrong(change: dict[str, Any], what: str) -> None:
    assert refused(Approach, **change) == (what, "", HELP)


def test_no_dropout_may_be_a_whole_number() -> None:
    assert Approach(dropout=0).dropout == 0


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ({"hidden_size": 1.5}, "hidden_size is 1.5, not a whole number", HELP),
        ({"vocab_size": 0}, "vocab_size is 0, not between 1 and 2**63 - 1", HELP),
        ({"head_dim": 0}, "head_dim is 0, not between 1 and 2**63 - 1", HELP),
        (
            {"num_key_value_heads": -1},
            "num_key_value_heads is -1, not between 1 and 2**63 - 1",
            HELP,
        ),
        ({"vocab_size": None}, "no vocab_size", LIST),
        ({"model_type": None}, "no model_type", LIST),
        (
            {"model_type": "mamba"},
            "model_type 'mamba' is not planned; known: llama, mistral, qwen2, qwen3, gemma",
            LIST,
        ),
        ({"mlp_bias": 1}, "mlp_bias is 1, not true or false", LIST),
        (
            {"num_attention_heads": 3},
            "hidden_size 16 is no multiple of num_attention_heads 3",
            "choose heads that divide the hidden size, or give head_dim",
        ),
        (
            {"num_key_value_heads": 3},
            "num_attention_heads 4 is no multiple of num_key_value_heads 3",
            "choose key heads that divide the heads",
        ),
        (
            {"head_dim": 5},
            "a head has 5 dimensions: rotary positions need an even number",
            "choose an even head_dim",
        ),
    ],
)
def test_a_configuration_says_what_is_wrong_and_where(
    change: dict[str, Any], what: str, remedy: str, tmp_path: Path
) -> None:
    assert refused(plan_memory, CONFIG | change) == (what, "", remedy)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIG | change))
    assert refused(plan_memory, file) == (what, str(file), remedy)


@pytest.mark.parametrize(
    ("model_type", "absent"),
    [
        ("mistral", {"num_key_value_heads": 8}),
        ("qwen2", {"num_key_value_heads": 32}),
        ("qwen3", {"num_key_value_heads": 32, "head_dim": 128}),
        ("gemma", {"num_key_value_heads": 16, "head_dim": 256, "tie_word_embeddings": True}),
    ],
)
def test_a_key_that_is_absent_is_what_transformers_takes(
    model_type: str, absent: dict[str, Any]
) -> None:
    given = CONFIG | {"model_type": model_type, "num_attention_heads": 64, "hidden_size": 128}
    found = architecture(given)
    assert found == architecture(given | absent)
    assert found.tie_word_embeddings == absent.get("tie_word_embeddings", False)
    nulls = architecture(given | {"num_key_value_heads": None, "head_dim": None})
    assert (nulls.key_heads, nulls.width) == (64, 2)
    other = architecture(given | {"tie_word_embeddings": model_type != "gemma"})
    assert other.tie_word_embeddings == (model_type != "gemma")


def test_a_source_that_is_none_says_what_is_known() -> None:
    assert refused(plan_memory, "nosuch") == (
        f"no model is known as 'nosuch', and no such file; known: {KNOWN}",
        "",
        LIST,
    )
    assert refused(plan_memory, "a\0b")[2] == LIST
    assert refused(plan_memory, 7) == ("7 is no configuration", "", LIST)
    assert refused(plan_memory, "toy_124m", "dora")[2] == HELP
    assert refused(plan_memory, "toy_124m", 3)[0] == ("an approach is full, lora or qlora, not int")


def test_a_file_that_is_none_says_why(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("[]")
    assert refused(plan_memory, tmp_path) == ("not a JSON object", str(file), "")
    file.write_text("{")
    what, where, _ = refused(plan_memory, tmp_path)
    assert what.startswith("cannot be read as JSON: Expecting property name")
    assert where == str(file)
    file.write_text(json.dumps(CONFIG) + " " * (1 << 24))
    assert plan_memory(file) == plan_memory(CONFIG), "a config.json may end in blanks"
    file.write_text(" " * (1 << 24) + json.dumps(CONFIG))
    assert refused(plan_memory, file)[0].startswith("cannot be read as JSON"), "not read so far"


def test_an_architecture_is_taken_as_it_is() -> None:
    decoder = DECODERS["gemma"]
    assert architecture(decoder) is decoder
    assert architecture("toy_124m") is MODELS["toy_124m"]
    assert plan_memory(decoder).approach == Approach(kind="full")
    assert plan_memory(decoder, "lora").approach == Approach(kind="lora")


@pytest.mark.parametrize("text", ["24 parsecs", "1ib", "1" * 16 + "b", "x" * 99])
def test_a_budget_that_is_none_says_what_would_be(text: str) -> None:
    assert refused(budget, text) == (
        f"{shown(text)} is no amount of memory",
        "",
        "a number and a unit: 24GB or 22.5GiB",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 3 Mb ", 3 * 10**6),
        ("2TB", 2 * 10**12),
        ("2KiB", 2048),
        ("3mib", 3 * 2**20),
        ("1.999b", 1),
        ("0.25kib", 256),
        ("1.000000001gb", 10**9 + 1),
    ],
)
def test_every_unit_is_its_own(text: str, expected: int) -> None:
    assert budget(text) == expected


def test_a_budget_below_a_byte_is_named() -> None:
    assert refused(budget, "0.9b")[0] == "budget is 0, not between 1 and 2**63 - 1"
    assert refused(fit, DECODERS["llama"], Approach(), 0)[0].startswith("budget is 0,")


def test_what_fits_exactly_fits_and_a_byte_less_is_the_next_rung() -> None:
    decoder, wanted = DECODERS["llama"], Approach(kind="qlora", batch=9, tokens=7, rank=3)
    for batch in (1, 2, 8, 9):
        room = plan_memory(decoder, replace(wanted, batch=batch)).total_bytes
        found = fit(decoder, wanted, room)
        assert found.plan.approach == replace(wanted, batch=batch)
        assert found.budget_bytes == room
        assert found.given_up == (() if batch == 9 else (f"batch 9 -> {batch}",))
    least = plan_memory(decoder, replace(wanted, batch=1, checkpointing=True)).total_bytes
    assert refused(fit, decoder, wanted, least - 1) == (
        f"nothing fits into {least - 1:,} bytes: qlora with checkpointing, one sequence of "
        f"7 tokens and rank 3 takes {least:,}",
        "",
        "fewer --tokens, a lower --rank, or a smaller model",
    )


def test_sizes_are_whole_numbers_from_the_least_to_the_largest() -> None:
    assert whole("n", 0, least=0) == 0
    assert whole("n", LARGEST, least=0) == LARGEST
    assert at_least_one("n", 1) == 1
    assert refused(whole, "n", LARGEST + 1, least=2) == (
        f"n is {LARGEST + 1}, not between 2 and 2**63 - 1",
        "",
        HELP,
    )
    assert refused(whole, "n", 1, least=2)[0] == "n is 1, not between 2 and 2**63 - 1"


def test_a_value_is_shown_in_short() -> None:
    assert shown("x" * 58) == repr("x" * 58)
    assert shown("x" * 59) == repr("x" * 59)[:60] + "..."
    assert shown(2**128 - 1) == str(2**128 - 1)
    assert shown(2**128) == "an integer of 129 bits"
    assert shown([10**5000]) == "list"


def test_queries_of_another_width_are_counted() -> None:
    wide = Architecture(
        vocab_size=10, hidden_size=6, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=4, head_dim=2,
    )  # fmt: skip
    assert (wide.query_size, wide.key_size) == (8, 8)
    assert wide.parameters == 2 * 60 + 4 * 48 + 3 * 48 + 3 * 6


def test_full_training_trains_what_no_adapter_is_for() -> None:
    assert Approach(kind="full", targets=("q_proj",)).trains("up_proj")
    assert not Approach(kind="lora", targets=("q_proj",)).trains("up_proj")
    assert Approach(kind="lora", targets=("q_proj",)).trains("q_proj")


def test_a_family_that_is_no_text_is_not_planned() -> None:
    said = "model_type ['llama'] is not planned; known: llama, mistral, qwen2, qwen3, gemma"
    assert refused(plan_memory, CONFIG | {"model_type": ["llama"]}) == (said, "", LIST)


@pytest.mark.parametrize("name", ["x" * 10_000, "a\0b"])
def test_a_name_that_no_file_can_have_is_not_known(name: str) -> None:
    what, _, remedy = refused(plan_memory, name)
    assert what.startswith(f"no model is known as {shown(name)}, and no such file; known: toy")
    assert remedy == LIST


def test_the_ladder_is_gone_down_one_rung_at_a_time() -> None:
    decoder, wanted = MODELS["toy_124m"], Approach(batch=2, tokens=64)
    rungs = [
        (replace(wanted, batch=1), ("batch 2 -> 1",)),
        (replace(wanted, kind="lora", batch=2), ("full -> lora",)),
        (replace(wanted, kind="lora", batch=1), ("batch 2 -> 1", "full -> lora")),
        (replace(wanted, kind="qlora", batch=2), ("full -> qlora",)),
        (replace(wanted, kind="qlora", batch=1), ("batch 2 -> 1", "full -> qlora")),
        (
            replace(wanted, kind="qlora", batch=1, checkpointing=True),
            ("batch 2 -> 1", "full -> qlora", "checkpointing"),
        ),
    ]
    rooms = [plan_memory(decoder, rung).total_bytes for rung, _ in rungs]
    assert rooms == sorted(rooms, reverse=True)
    for (rung, given_up), room in zip(rungs, rooms, strict=True):
        found = fit(decoder, wanted, room)
        assert (found.plan.approach, found.given_up) == (rung, given_up)
    what = refused(fit, decoder, wanted, rooms[-1] - 1)[0]
    assert what.endswith(f"one sequence of 64 tokens and rank 16 takes {rooms[-1]:,}")


def test_what_was_given_up_already_is_the_last_rung() -> None:
    decoder = DECODERS["llama"]
    wanted = Approach(kind="qlora", checkpointing=True, batch=3)
    room = plan_memory(decoder, wanted).total_bytes
    assert fit(decoder, wanted, room).given_up == ()
    least = plan_memory(decoder, replace(wanted, batch=1)).total_bytes
    assert f"takes {least:,}" in refused(fit, decoder, wanted, least - 1)[0]
