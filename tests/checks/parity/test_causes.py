"""From what was seen to a cause: pure values, no model."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_modelqa.checks.parity.causes import CAUSES, LIKELY, Sign, suspects
from pytest_modelqa.checks.parity.signs import configuration_signs
from pytest_modelqa.checks.parity.storage import storage_told
from pytest_modelqa.checks.parity.tensor_signs import tensor_signs
from pytest_modelqa.core.comparison.tensors import (
    ConfigurationCompared,
    ParameterCompared,
    Relation,
    TensorCompared,
    TensorsCompared,
)


def tensor(name: str, relation: Relation, **more: Any) -> TensorCompared:
    fields = {"candidate_shape": (64, 64), "candidate_type": "Q8_0", "weights": 4096, **more}
    return TensorCompared(name=name, relation=relation, **fields)


def stored(*tensors: TensorCompared) -> TensorsCompared:
    return TensorsCompared(
        candidate_architecture="llama",
        reference_architecture="llama",
        verified=True,
        tensors=tensors,
        weights=sum(t.weights for t in tensors),
    )


def parameter(name: str, candidate: str, reference: str) -> ConfigurationCompared:
    one = ParameterCompared(
        name=name,
        candidate=candidate,
        reference=reference,
        equal=candidate == reference,
        where=f"llama.{name} / config.json {name}",
    )
    return ConfigurationCompared(
        candidate_architecture="llama", reference_architecture="llama", parameters=(one,)
    )


@pytest.mark.parametrize(
    ("found", "cause", "kind"),
    [
        (tensor("blk.3.attn_k.weight", "qk_interleave", other="missing"), "Q/K permutation",
         "layout"),
        (tensor("blk.3.attn_output.weight", "transposed"), "transposed", "layout"),
        (tensor("blk.3.ffn_down.weight", "scaled", factor=1.01), "scale", "values"),
        (tensor("blk.3.ffn_down.weight", "negated"), "sign", "values"),
        (tensor("blk.0.attn_norm.weight", "shifted", factor=1.0), "(1+w) norms", "values"),
        (tensor("blk.0.attn_norm.weight", "shifted", factor=0.25), "offset", "values"),
        (tensor("blk.0.attn_q.bias", "shifted", factor=1.0), "offset", "values"),
        (tensor("output_norm.weight", "zero"), "zeroed tensor", "values"),
        (tensor("blk.1.ffn_up.weight", "non_finite", affected=1), "non-finite weights",
         "integrity"),
        (tensor("blk.1.ffn_up.weight", "missing"), "missing tensor", "integrity"),
        (tensor("output.weight", "extra"), "tied head", "hyper-parameters"),
        (tensor("output.weight", "noise", note="the candidate stores a head of its own"),
         "tied head", "hyper-parameters"),
        (tensor("blk.1.ffn_up.weight", "noise", correlation=0.01), "unrelated values", "values"),
        (tensor("blk.1.ffn_up.weight", "noise", correlation=0.98), "corrupted tensor", "values"),
        (tensor("blk.1.ffn_up.weight", "coarse"), "over-quantised tensor", "quantisation"),
    ],
    ids=lambda v: v.relation if isinstance(v, TensorCompared) else "",
)  # fmt: skip
def test_a_tensor_that_is_not_the_references_names_its_cause(
    found: TensorCompared, cause: str, kind: str
) -> None:
    first, *others = suspects(tensor_signs(stored(found, tensor("blk.0.ffn_up.weight", "same"))))
    assert (first.cause.name, first.cause.kind) == (cause, kind)
    assert first.places == (found.name,)
    assert first.confidence >= LIKELY
    assert not others


def test_sound_tensors_point_to_nothing() -> None:
    assert not list(tensor_signs(stored(tensor("a", "same"), tensor("b", "quantised"))))


def test_two_layers_that_have_each_others_tensors_are_one_cause() -> None:
    names = ("attn_q", "attn_k", "ffn_up", "ffn_down")
    swapped = [
        tensor(f"blk.{here}.{n}.weight", "swapped_with", other=f"blk.{there}.{n}.weight")
        for here, there in ((4, 5), (5, 4))
        for n in names
    ]
    (found,) = suspects(tensor_signs(stored(*swapped)))
    assert found.cause.name == "layers swapped"
    assert found.places == ("blk.4",)


def test_two_tensors_of_one_layer_that_have_each_others_values_are_swapped_tensors() -> None:
    swapped = (
        tensor("blk.4.attn_k.weight", "swapped_with", other="blk.4.attn_v.weight"),
        tensor("blk.4.attn_v.weight", "swapped_with", other="blk.4.attn_k.weight"),
    )
    (found,) = suspects(tensor_signs(stored(*swapped)))
    assert found.cause.name == "swapped tensors"
    assert len(found.places) == len(swapped)


@pytest.mark.parametrize("relation", ["low_rank", "corrupted_blocks", "noise"])
def test_the_same_projections_of_many_layers_are_an_adapters_work(relation: Relation) -> None:
    """On four bits the rank is hidden in the rounding: the pattern is not."""
    kinds = ("attn_q", "attn_v", "ffn_up", "ffn_down", "ffn_gate", "attn_k")
    tensors = [
        tensor(f"blk.{layer}.{kind}.weight", relation if n < 2 else "quantised", correlation=0.99)
        for layer in range(8)
        for n, kind in enumerate(kinds)
    ]
    (found,) = suspects(tensor_signs(stored(*tensors)))
    assert found.cause.name == "wrong merge"
    assert found.places == ("attn_q.weight, attn_v.weight",)
    assert found.confidence >= LIKELY


def test_one_tensor_of_low_rank_is_not_enough_to_name_a_merge() -> None:
    (found,) = suspects(tensor_signs(stored(tensor("blk.0.attn_output.weight", "low_rank"))))
    assert found.confidence < LIKELY


def test_layers_without_any_tensor_were_cut() -> None:
    kept = [tensor(f"blk.{i}.ffn_up.weight", "same") for i in range(3)]
    gone = [tensor(f"blk.3.{k}.weight", "missing") for k in ("ffn_up", "ffn_down")]
    (found,) = suspects(tensor_signs(stored(*kept, *gone)))
    assert (found.cause.name, found.places) == ("layer count", ("blk.3",))


def test_noise_in_most_matrices_is_the_files_not_a_tensors() -> None:
    noisy = [
        tensor(f"blk.{i}.ffn_up.weight", "coarse", error=0.2, bound=0.01, correlation=0.97)
        for i in range(6)
    ]
    (found,) = suspects(tensor_signs(stored(*noisy)))
    assert found.cause.name == "mislabelled quantisation"
    assert "6 tensors" in found.where


@pytest.mark.parametrize(
    ("name", "values", "cause"),
    [
        ("rotary base", ("10000", "100000"), "RoPE base"),
        ("norm epsilon", ("0.001", "1e-05"), "norm epsilon"),
        ("heads", ("18", "9"), "head count"),
        ("pre-tokenizer", ("gpt-2", "smollm"), "pre-tokenizer"),
        ("adds bos", ("true", "false"), "double BOS"),
        ("adds bos", ("false", "true"), "missing BOS"),
        ("eos id", ("0", "2"), "end of text"),
        ("something new", ("1", "2"), "configuration"),
    ],
)
def test_a_parameter_that_differs_names_its_cause_and_its_key(
    name: str, values: tuple[str, str], cause: str
) -> None:
    (found,) = suspects(configuration_signs(parameter(name, *values)))
    assert found.cause.name == cause
    assert found.places == (f"llama.{name}",)
    assert not list(configuration_signs(parameter(name, values[0], values[0])))


def test_signs_of_one_cause_add_up_and_the_same_place_counts_once() -> None:
    def confidence(*signs: Sign) -> float:
        (found,) = suspects(signs)
        return found.confidence

    def sign(place: str) -> Sign:
        return Sign(cause="scale", place=place, evidence="e", weight=0.5)

    assert math.isclose(confidence(sign("a")), 0.5)
    assert math.isclose(confidence(sign("a"), sign("a")), 0.5)
    assert math.isclose(confidence(sign("a"), sign("b")), 0.75)


def test_the_surest_cause_comes_first_and_of_equals_the_earliest_in_the_model() -> None:
    def order(*given: tuple[str, float]) -> list[str]:
        signs = (Sign(cause=c, place="", evidence="e", weight=w) for c, w in given)
        return [s.cause.name for s in suspects(signs)]

    assert order(("scale", 0.7), ("merges", 0.95)) == ["merges", "scale"]
    assert order(("scale", 0.95), ("merges", 0.95)) == ["merges", "scale"]


def test_causes_have_unique_names_and_something_to_do() -> None:
    assert len({cause.name for cause in CAUSES}) == len(CAUSES)
    assert all(cause.advice for cause in CAUSES)


def test_a_fallback_is_named_with_the_width_that_caused_it() -> None:
    seen = stored(
        tensor("a", "quantised", candidate_type="Q5_1", candidate_shape=(576, 576), weights=80),
        tensor("b", "quantised", candidate_type="Q5_K", candidate_shape=(576, 1536), weights=20),
    )
    told = storage_told(seen)
    assert told.startswith("Q5_1 80%, Q5_K 20% of the weights: a fallback")
    assert "rows of 576 do not divide" in told


def test_a_type_that_was_asked_for_is_no_fallback() -> None:
    seen = stored(tensor("a", "quantised", candidate_type="Q8_0", candidate_shape=(576, 576)))
    assert storage_told(seen) == "Q8_0 100% of the weights"
