"""Relations between stored tensors: each defect is named, at its place; healthy files are sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pytest_modelqa.artifacts.differential import compare_tensors
from pytest_modelqa.artifacts.differential.naming import interleaved
from pytest_modelqa.core.comparison.tensors import (
    CompareTensors,
    TensorCompared,
    TensorsCompared,
)
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.wire import decode_answer, encode
from tests.artifacts.stored_models import (
    HEAD,
    KEYS,
    WIDTH,
    Floats,
    Weights,
    gguf_file,
    hf_folder,
    hf_name,
    permuted,
    weights,
)

KINDS = ("F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")
Change = Callable[[Weights], None]


def compared(candidate: Path, reference: Path, *parts: str) -> TensorsCompared:
    found = compare_tensors(candidate, reference, CompareTensors(filter=parts))
    assert decode_answer(encode(found)) is not None
    return found


@pytest.fixture(scope="session")
def plain_hf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hf_folder(tmp_path_factory.mktemp("plain") / "hf", weights())


def planted(
    tmp_path: Path, reference: Path, change: Change, kind: str = "Q8_0"
) -> dict[str, TensorCompared]:
    """What is unsound in a GGUF file of the changed weights, by name."""
    tensors = {n: v.copy() for n, v in weights().items()}
    change(tensors)
    found = compared(gguf_file(tmp_path / "m.gguf", tensors, kind), reference)
    return {t.name: t for t in found.tensors if not t.sound}


@pytest.mark.parametrize("kind", KINDS)
def test_healthy_file_of_every_type_is_sound(tmp_path: Path, plain_hf: Path, kind: str) -> None:
    found = compared(gguf_file(tmp_path / "m.gguf", weights(), kind), plain_hf)
    assert [t for t in found.tensors if not t.sound] == []
    assert len(found.tensors) == len(weights())
    assert found.weights == sum(v.size for v in weights().values())
    assert found.verified


@pytest.mark.parametrize(("dtype", "shards"), [("F32", 3), ("F16", 1), ("BF16", 2)])
def test_healthy_folder_of_other_type_and_shards_is_sound(
    tmp_path: Path, plain_hf: Path, dtype: str, shards: int
) -> None:
    reordered = dict(reversed(weights().items()))
    folder = hf_folder(tmp_path / "m", reordered, dtype, shards=shards)
    found = compared(folder, plain_hf)
    assert {t.relation for t in found.tensors} <= {"same", "quantised"}
    assert len(found.tensors) == len(weights())


def test_two_gguf_files_need_no_order_undone(tmp_path: Path) -> None:
    one = gguf_file(tmp_path / "one.gguf", weights(), "Q4_0")
    two = gguf_file(tmp_path / "two.gguf", weights(), "F16")
    assert all(t.sound for t in compared(one, two).tensors)
    assert {t.relation for t in compared(one, one).tensors} == {"same"}


def _k(t: Weights) -> Floats:
    return t["blk.1.attn_k.weight"]


def transposed(t: Weights) -> None:
    t["blk.1.attn_output.weight"] = t["blk.1.attn_output.weight"].T.copy()


def transposed_under_its_shape(t: Weights) -> None:
    down = t["blk.1.ffn_down.weight"]
    t["blk.1.ffn_down.weight"] = down.T.copy().reshape(down.shape)


def swapped_layers(t: Weights) -> None:
    a, b = "blk.0.ffn_up.weight", "blk.2.ffn_up.weight"
    t[a], t[b] = t[b], t[a]


def swapped_rows(t: Weights) -> None:
    t["blk.1.ffn_up.weight"][[5, 77]] = t["blk.1.ffn_up.weight"][[77, 5]]


def swapped_columns(t: Weights) -> None:
    t["blk.1.ffn_up.weight"][:, [5, 77]] = t["blk.1.ffn_up.weight"][:, [77, 5]]


def reversed_rows(t: Weights) -> None:
    t["blk.1.ffn_up.weight"] = t["blk.1.ffn_up.weight"][::-1].copy()


def shuffled_columns(t: Weights) -> None:
    t["blk.1.ffn_up.weight"] = t["blk.1.ffn_up.weight"][
        :, np.random.default_rng(1).permutation(WIDTH)
    ]


def scaled(t: Weights) -> None:
    t["blk.1.ffn_gate.weight"] *= 1.01


def scaled_rows(t: Weights) -> None:
    t["blk.1.ffn_gate.weight"][40:80] *= 2


def negated(t: Weights) -> None:
    t["blk.1.ffn_gate.weight"] *= -1


def zeroed_row(t: Weights) -> None:
    t["blk.1.attn_v.weight"][9] = 0


def doubled_row(t: Weights) -> None:
    t["blk.1.attn_v.weight"][9] = t["blk.1.attn_v.weight"][30]


def zeroed_norm(t: Weights) -> None:
    t["blk.1.attn_norm.weight"][:] = 0


def norm_plus_one(t: Weights) -> None:
    t["blk.1.attn_norm.weight"] += 1


def norm_element_off(t: Weights) -> None:
    t["blk.1.attn_norm.weight"][17] *= 1.5


def norm_with_nan(t: Weights) -> None:
    t["blk.1.attn_norm.weight"][17] = np.nan


def noise(t: Weights) -> None:
    up = t["blk.1.ffn_up.weight"]
    up += np.random.default_rng(2).normal(0, 0.01, up.shape).astype(np.float32)


def low_rank(t: Weights) -> None:
    up = t["blk.1.ffn_up.weight"]
    rng = np.random.default_rng(3)
    down = rng.normal(0, 0.02, (up.shape[0], 4)) @ rng.normal(0, 0.5, (4, up.shape[1]))
    up += down.astype(np.float32)


def corrupted(t: Weights) -> None:
    t["blk.1.ffn_up.weight"][12, 32:64] = 0.3


def zeroed_tensor(t: Weights) -> None:
    t["blk.1.ffn_up.weight"][:] = 0


def other_model(t: Weights) -> None:
    t["blk.1.ffn_up.weight"] = weights(9)["blk.1.ffn_up.weight"]


def rounded_before(t: Weights) -> None:
    up = t["blk.1.ffn_up.weight"].reshape(-1, 32)
    step = (up.max(axis=1, keepdims=True) - up.min(axis=1, keepdims=True)) / 7
    rounded = np.rint(up / step) * step
    t["blk.1.ffn_up.weight"] = rounded.reshape(t["blk.1.ffn_up.weight"].shape).astype(np.float32)


DEFECTS = [
    (rounded_before, "blk.1.ffn_up.weight", "coarse"),
    (transposed, "blk.1.attn_output.weight", "transposed"),
    (transposed_under_its_shape, "blk.1.ffn_down.weight", "transposed"),
    (swapped_layers, "blk.0.ffn_up.weight", "swapped_with"),
    (swapped_rows, "blk.1.ffn_up.weight", "rows_swapped"),
    (swapped_columns, "blk.1.ffn_up.weight", "columns_swapped"),
    (reversed_rows, "blk.1.ffn_up.weight", "rows_permuted"),
    (shuffled_columns, "blk.1.ffn_up.weight", "columns_permuted"),
    (scaled, "blk.1.ffn_gate.weight", "scaled"),
    (scaled_rows, "blk.1.ffn_gate.weight", "scaled"),
    (negated, "blk.1.ffn_gate.weight", "negated"),
    (zeroed_row, "blk.1.attn_v.weight", "zeroed_rows"),
    (doubled_row, "blk.1.attn_v.weight", "duplicated_rows"),
    (zeroed_norm, "blk.1.attn_norm.weight", "zero"),
    (norm_plus_one, "blk.1.attn_norm.weight", "shifted"),
    (norm_element_off, "blk.1.attn_norm.weight", "corrupted_blocks"),
    (norm_with_nan, "blk.1.attn_norm.weight", "non_finite"),
    (noise, "blk.1.ffn_up.weight", "noise"),
    (low_rank, "blk.1.ffn_up.weight", "low_rank"),
    (corrupted, "blk.1.ffn_up.weight", "corrupted_blocks"),
    (zeroed_tensor, "blk.1.ffn_up.weight", "zero"),
    (other_model, "blk.1.ffn_up.weight", "noise"),
]


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q5_0"])
@pytest.mark.parametrize(
    ("change", "name", "relation"), DEFECTS, ids=[d[0].__name__ for d in DEFECTS]
)
def test_defect_is_named_at_its_place(
    tmp_path: Path, plain_hf: Path, change: Change, name: str, relation: str, kind: str
) -> None:
    found = planted(tmp_path, plain_hf, change, kind)
    assert name in found
    assert found[name].relation == relation, found[name]
    also = {"blk.2.ffn_up.weight"} if change is swapped_layers else set()
    assert found.keys() == {name} | also


def test_rows_and_factors_are_told(tmp_path: Path, plain_hf: Path) -> None:
    def told(change: Change) -> TensorCompared:
        (tmp_path / change.__name__).mkdir(exist_ok=True)
        found = planted(tmp_path / change.__name__, plain_hf, change)
        return next(iter(found.values()))

    assert told(swapped_rows).rows == (5, 77)
    assert told(swapped_columns).columns == (5, 77)
    assert told(zeroed_row).rows == (9,)
    assert (told(doubled_row).rows, told(doubled_row).note) == ((9,), "copies of 30")
    assert told(reversed_rows).note == "in reverse order"
    assert told(swapped_layers).other == "blk.2.ffn_up.weight"
    assert told(scaled).factor == pytest.approx(1.01, abs=1e-3)
    assert told(scaled_rows).rows[0] == 40
    assert told(norm_plus_one).factor == pytest.approx(1, abs=1e-5)
    assert told(corrupted).rows == (12,)
    assert told(low_rank).affected == 4
    assert told(norm_with_nan).affected == 1


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q4_0"])
@pytest.mark.parametrize("which", ["missing", "doubled"])
@pytest.mark.parametrize("name", ["blk.1.attn_k.weight", "blk.2.attn_q.weight"])
def test_wrong_interleave_of_one_layer_is_told_from_a_right_one(
    tmp_path: Path, plain_hf: Path, name: str, which: str, kind: str
) -> None:
    def order(tensor: str, values: Floats) -> Floats:
        if tensor != name:
            return permuted(tensor, values)
        return values if which == "missing" else permuted(tensor, permuted(tensor, values))

    file = gguf_file(tmp_path / "m.gguf", weights(), kind, order=order)
    (found,) = [t for t in compared(file, plain_hf).tensors if not t.sound]
    assert (found.name, found.relation, found.other) == (name, "qk_interleave", which)


def test_interleave_in_an_architecture_without_one_is_a_defect(tmp_path: Path) -> None:
    config = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}
    folder = hf_folder(tmp_path / "hf", weights(), config=config)
    plain = gguf_file(tmp_path / "a.gguf", weights(), "Q8_0", order=lambda _, v: v,
                      architecture="qwen2")  # fmt: skip
    assert all(t.sound for t in compared(plain, folder).tensors)
    turned = gguf_file(tmp_path / "b.gguf", weights(), "Q8_0", architecture="qwen2")
    bad = [t for t in compared(turned, folder).tensors if not t.sound]
    assert {(t.relation, t.other) for t in bad} == {("qk_interleave", "applied")}
    assert len(bad) == 6


def test_interleave_of_biases_is_undone(tmp_path: Path) -> None:
    tensors = weights()
    rng = np.random.default_rng(5)
    bias = rng.normal(0, 1, KEYS * HEAD).astype(np.float32)
    stored = bias.reshape(-1, HEAD)[:, np.argsort(interleaved(HEAD))].reshape(-1)
    name = "blk.0.attn_k.bias"
    folder = hf_folder(tmp_path / "hf", {**tensors, name: bias})
    right = gguf_file(tmp_path / "a.gguf", {**tensors, name: stored})
    wrong = gguf_file(tmp_path / "b.gguf", {**tensors, name: bias})
    assert hf_name(name) == "model.layers.0.self_attn.k_proj.bias"
    assert all(t.sound for t in compared(right, folder).tensors)
    (found,) = [t for t in compared(wrong, folder).tensors if not t.sound]
    assert (found.name, found.relation) == (name, "qk_interleave")


def test_value_that_went_to_a_place_with_another_order_is_recognised(
    tmp_path: Path, plain_hf: Path
) -> None:
    key, value = "blk.1.attn_k.weight", "blk.1.attn_v.weight"

    def order(tensor: str, values: Floats) -> Floats:
        if tensor == key:
            return weights()[value]
        return permuted(key, weights()[key]) if tensor == value else permuted(tensor, values)

    file = gguf_file(tmp_path / "m.gguf", weights(), "Q8_0", order=order)
    bad = {t.name: t.other for t in compared(file, plain_hf).tensors if not t.sound}
    assert bad == {key: value, value: key}


def test_wrong_number_of_heads_is_not_blamed_on_the_tensors(tmp_path: Path, plain_hf: Path) -> None:
    wrong = {"attention.head_count": 8, "attention.head_count_kv": 4}
    file = gguf_file(tmp_path / "m.gguf", weights(), "Q8_0", metadata=wrong)
    found = compared(file, plain_hf).tensors
    assert all(t.sound for t in found)
    assert "its own metadata says 16" in next(t for t in found if "attn_q" in t.name).note


@pytest.mark.parametrize(("stored", "label"), [("F16", "BF16"), ("BF16", "F16")])
def test_wrong_type_label_is_told(tmp_path: Path, plain_hf: Path, stored: str, label: str) -> None:
    name = "blk.1.ffn_down.weight"
    file = gguf_file(tmp_path / "m.gguf", weights(), stored, labels={name: label})
    (found,) = [t for t in compared(file, plain_hf).tensors if not t.sound]
    assert (found.name, found.relation, found.other) == (name, "mislabelled", stored)


def test_fewer_bits_than_declared_are_told(tmp_path: Path, plain_hf: Path) -> None:
    name = "blk.1.ffn_down.weight"
    file = gguf_file(tmp_path / "m.gguf", weights(), "Q8_0", kinds={name: "Q4_0"},
                     metadata={"general.file_type": 7})  # fmt: skip
    (found,) = [t for t in compared(file, plain_hf).tensors if not t.sound]
    assert (found.name, found.relation, found.other) == (name, "overquantised", "Q8_0")


def test_padded_vocabulary_is_another_shape_whose_common_rows_agree(
    tmp_path: Path, plain_hf: Path
) -> None:
    held = weights()
    held["token_embd.weight"] = np.vstack([held["token_embd.weight"], np.zeros((32, WIDTH))])
    held["token_embd.weight"] = held["token_embd.weight"].astype(np.float32)
    (found,) = [t for t in compared(gguf_file(tmp_path / "m.gguf", held), plain_hf).tensors
                if not t.sound]  # fmt: skip
    assert (found.name, found.relation) == ("token_embd.weight", "shape")
    assert "the 384 rows that both have agree" in found.note


def test_file_that_is_not_sound_is_refused_with_its_finding(tmp_path: Path, plain_hf: Path) -> None:
    file = gguf_file(tmp_path / "m.gguf", weights())
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(Refused, match="GGUF-TRUNCATED"):
        compared(file, plain_hf)
    (tmp_path / "x").write_text("hello")
    with pytest.raises(Refused, match="no model that is known here"):
        compared(tmp_path / "x", plain_hf)
