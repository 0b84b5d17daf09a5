"""Rewriting GGUF: what is not named stays bit by bit; what is named becomes what it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.defects.gguf_edit import Edit, Floats, dequantised, patched, rewrite
from pytest_modelqa.artifacts.defects.gguf_layout import layout_of
from pytest_modelqa.core.errors import Refused

NAME = "blk.1.attn_q.weight"


def test_rewriting_without_a_change_gives_the_same_bytes(
    tiny_f32: Path, tiny_q4_1: Path, smollm2: Path, tmp_path: Path
) -> None:
    for source in (tiny_f32, tiny_q4_1, smollm2):
        copy = tmp_path / "copy.gguf"
        assert rewrite(source, copy).retyped == {}
        assert copy.read_bytes() == source.read_bytes()


def test_values_that_an_edit_leaves_keep_their_blocks(tiny_q4_1: Path, tmp_path: Path) -> None:
    def first_row(values: Floats) -> Floats:
        values[0] *= 3
        return values

    copy = tmp_path / "copy.gguf"
    rewrite(tiny_q4_1, copy, tensors={NAME: Edit(values=first_row)})
    before, after = layout_of(tiny_q4_1), layout_of(copy)
    one, two = before.raw(before.tensors[NAME]), after.raw(after.tensors[NAME])
    assert (one[1:] == two[1:]).all()
    old, new = dequantised(one[:1], "Q4_1"), dequantised(two[:1], "Q4_1")
    assert np.abs(new - 3 * old).max() <= np.abs(old).max() * 3 / 15


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.one_of(st.text(max_size=20), st.integers(-(2**31), 2**32 - 1), st.booleans(),
                       st.floats(width=32, allow_nan=False),
                       st.lists(st.text(max_size=5), min_size=1, max_size=5)))  # fmt: skip
def test_any_value_that_is_written_is_read_again(
    value: object, tiny_f32: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.gguf"
    rewrite(tiny_f32, copy, metadata={"modelqa.test": value})
    header = gguf.read(copy)
    assert header.findings == []
    found = header.metadata["modelqa.test"]
    assert (list(found) if isinstance(value, list) else found) == value


def test_a_key_keeps_its_type_and_none_removes_it(tiny_f32: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    changes = {
        "tokenizer.ggml.add_bos_token": True,
        "llama.context_length": 7,
        "general.name": None,
    }
    rewrite(tiny_f32, copy, metadata=changes)
    before, after = layout_of(tiny_f32), layout_of(copy)
    for key in ("tokenizer.ggml.add_bos_token", "llama.context_length"):
        assert after.keys[key].kind == before.keys[key].kind
        assert after.header.metadata[key] == changes[key]
    assert before.keys.keys() - after.keys.keys() == {"general.name"}


def test_order_alignment_names_and_new_tensors_are_what_was_asked_for(
    tiny_f32: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.gguf"
    edits = {
        "output.weight": Edit(source="token_embd.weight"),
        NAME: Edit(name="blk.1.attn_x.weight"),
        "blk.3.ffn_up.weight": Edit(remove=True),
        "blk.0.ffn_up.weight": Edit(type="Q8_0"),
    }
    written = rewrite(tiny_f32, copy, tensors=edits, order=sorted, alignment=128)
    header = gguf.read(copy)
    names = [t.name for t in header.tensors]
    assert header.findings == []
    assert written.retyped == {}
    assert names == sorted(names)
    assert all(t.offset % 128 == 0 for t in header.tensors)
    assert {"output.weight", "blk.1.attn_x.weight"} < set(names)
    assert not {NAME, "blk.3.ffn_up.weight"} & set(names)
    assert next(t for t in header.tensors if t.name == "blk.0.ffn_up.weight").type == "Q8_0"


def test_a_type_that_cannot_be_written_becomes_f16_and_that_is_said(
    tiny_f32: Path, tmp_path: Path
) -> None:
    """Rows of 64 weights do not divide into blocks of 256, and nothing here writes K types."""
    copy = tmp_path / "copy.gguf"
    edits = {NAME: Edit(type="Q6_K"), "blk.2.attn_q.weight": Edit(type="Q4_K")}
    rewrite(tiny_f32, copy, tensors=edits)
    types = {t.name: t.type for t in gguf.read(copy).tensors}
    assert types[NAME] == types["blk.2.attn_q.weight"] == "F16"
    with pytest.raises(ValueError, match="instead of"):
        rewrite(tiny_f32, copy, tensors={NAME: Edit(values=lambda v: v[:1])})


def test_an_edit_of_no_tensor_and_a_file_that_is_broken_are_refused(
    tiny_f32: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyError, match=r"blk\.99"):
        rewrite(tiny_f32, tmp_path / "a.gguf", tensors={"blk.99.x": Edit(remove=True)})
    broken = tmp_path / "broken.gguf"
    with patched(tiny_f32, broken) as (data, _):
        data[:4] = b"GGML"
    with pytest.raises(Refused, match="GGUF-MAGIC"):
        rewrite(broken, tmp_path / "b.gguf")


def test_a_file_in_a_k_type_says_which_tensors_were_stored_otherwise(
    tmp_path: Path, tiny_f32: Path
) -> None:
    """The label alone makes a K type here: 256 weights a row, 210 bytes a block of Q6_K."""
    wide = tmp_path / "wide.gguf"
    _with_one_k_tensor(wide)
    copy = tmp_path / "copy.gguf"
    written = rewrite(wide, copy, tensors={"wide.weight": Edit(values=lambda v: v + 1)})
    assert written.retyped == {"wide.weight": "F16"}
    assert rewrite(wide, copy).retyped == {}


def _with_one_k_tensor(path: Path) -> None:
    from gguf import GGMLQuantizationType, GGUFWriter

    writer = GGUFWriter(path, "llama")
    raw = np.zeros((2, 210), dtype=np.uint8)
    writer.add_tensor("wide.weight", raw, raw_dtype=GGMLQuantizationType.Q6_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
