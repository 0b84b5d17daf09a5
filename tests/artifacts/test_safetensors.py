"""Every violation of a safetensors header or index is a finding, and nothing is ever raised."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.artifacts.safetensors import read_folder
from tests.artifacts.made import safetensors_bytes

PAIR = {"a": ("F32", (2, 3), bytes(24)), "b": ("F16", (4,), bytes(8))}


def codes(folder: Path) -> list[str]:
    return [f.code for f in read_folder(folder).findings]


def single(folder: Path, data: bytes) -> list[str]:
    (folder / "model.safetensors").write_bytes(data)
    return codes(folder)


def changed(**entry: Any) -> bytes:
    sound = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    return safetensors_bytes(PAIR, a=sound | entry)


BROKEN = {
    "empty": ("ST-TRUNCATED", b""),
    "header length": ("ST-HEADER-LENGTH", struct.pack("<Q", 2**60) + b"{}"),
    "not JSON": ("ST-JSON", struct.pack("<Q", 4) + b"oops"),
    "deep JSON": ("ST-JSON", struct.pack("<Q", 200_000) + b"[" * 200_000),
    "a list": ("ST-JSON", struct.pack("<Q", 2) + b"[]"),
    "twice a name": ("ST-DUPLICATE", struct.pack("<Q", 15) + b'{"a":{},"a":{}}'),
    "no entry": ("ST-ENTRY", safetensors_bytes(PAIR, a=3)),
    "negative offset": ("ST-ENTRY", changed(data_offsets=[-4, 20])),
    "dtype": ("ST-DTYPE", changed(dtype="F31")),
    "size": ("ST-SIZE", changed(shape=[2, 4])),
    "huge shape": ("ST-SIZE", changed(shape=[2**40, 2**40])),
    "gap": ("ST-OFFSET", changed(data_offsets=[4, 28])),
    "cut": ("ST-TRUNCATED", safetensors_bytes(PAIR)[:-3]),
    "trailing bytes": ("ST-TRAILING", safetensors_bytes(PAIR) + b"more"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_violation_is_found_with_its_code(name: str, tmp_path: Path) -> None:
    code, data = BROKEN[name]
    assert code in single(tmp_path, data)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "I16"])
def test_a_sound_file_has_no_findings(dtype: str, tmp_path: Path) -> None:
    assert single(tmp_path, safetensors_bytes(PAIR | {"c": (dtype, (3,), bytes(6))})) == []


def sharded(folder: Path, **weight_map: str) -> list[str]:
    for name, tensor in PAIR.items():
        (folder / f"{name}.safetensors").write_bytes(safetensors_bytes({name: tensor}))
    listed = {"a": "a.safetensors", "b": "b.safetensors"} | weight_map
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {k: v for k, v in listed.items() if v}}))
    return codes(folder)


def test_sound_shards_have_no_findings(tmp_path: Path) -> None:
    assert sharded(tmp_path) == []
    assert {t.name for t in read_folder(tmp_path).tensors} == {"a", "b"}


@pytest.mark.parametrize(
    ("code", "weight_map"),
    [
        ("ST-INDEX", {"c": "a.safetensors"}),
        ("ST-INDEX", {"b": "a.safetensors"}),
        ("ST-SHARD-MISSING", {"b": "c.safetensors"}),
        ("ST-SHARD-NAME", {"b": "../b.safetensors"}),
        ("ST-SHARD-NAME", {"b": "b.bin"}),
    ],
)
def test_an_index_that_disagrees_is_found(
    code: str, weight_map: dict[str, str], tmp_path: Path
) -> None:
    assert code in sharded(tmp_path, **weight_map)


def test_no_file_and_a_broken_index_are_findings(tmp_path: Path) -> None:
    assert codes(tmp_path) == ["ST-MISSING"]
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    assert codes(tmp_path) == ["ST-MISSING"], "a pickle is no model to us"
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": 3}')
    assert "ST-INDEX" in codes(tmp_path)


def test_a_tensor_in_two_shards_is_found(tmp_path: Path) -> None:
    sharded(tmp_path)
    (tmp_path / "b.safetensors").write_bytes(safetensors_bytes(PAIR))
    assert "ST-DUPLICATE" in codes(tmp_path)


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_no_mutation_of_the_header_raises(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = bytearray(safetensors_bytes(PAIR))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, 120))] = data.draw(st.integers(0, 255))
    single(tmp_path_factory.getbasetemp(), bytes(raw))
