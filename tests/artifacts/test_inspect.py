"""Gateway G0's facts: planted defects are found by name, the healthy neighbour has no finding."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.artifacts.values import SCALES, Values
from pytest_modelqa.core.answer import Inspection
from tests import plant
from tests.artifacts.made import (
    CONFIG,
    METADATA,
    float_tensors,
    gguf_bytes,
    hf_folder,
    hf_tensors,
    safetensors_bytes,
)


def of_gguf(tmp_path: Path, data: bytes) -> Inspection:
    (tmp_path / "m.gguf").write_bytes(data)
    return inspect(tmp_path / "m.gguf", "gguf")


def codes(seen: Inspection) -> set[str]:
    return {f.code for f in seen.findings}


def test_a_sound_small_model_has_no_findings(tmp_path: Path) -> None:
    seen = of_gguf(tmp_path, gguf_bytes())
    assert seen.findings == ()
    assert not seen.unsafe
    assert (seen.architecture, seen.tensors) == ("llama", 11)
    folder = inspect(hf_folder(tmp_path / "hf"), "safetensors")
    assert folder.findings == ()
    assert folder.parameters == seen.parameters


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ({"llama.block_count": 2}, "CONFIG-BLOCKS", "llama.block_count"),
        ({"llama.embedding_length": 64}, "TENSOR-SHAPE", "token_embd.weight"),
        ({"llama.feed_forward_length": 32}, "TENSOR-SHAPE", "blk.0.ffn_gate.weight"),
        ({"llama.attention.head_count_kv": 2}, "TENSOR-SHAPE", "blk.0.attn_k.weight"),
        ({"tokenizer.ggml.tokens": ["a"] * 9}, "CONFIG-VOCAB", "token_embd.weight"),
        ({"tokenizer.ggml.eos_token_id": 8}, "CONFIG-SPECIAL", "tokenizer.ggml.eos_token_id"),
    ],
)
def test_a_configuration_that_disagrees_with_the_tensors_is_found(
    tmp_path: Path, change: dict[str, Any], code: str, where: str
) -> None:
    seen = of_gguf(tmp_path, gguf_bytes(METADATA | change))
    assert (code, where) in {(f.code, f.where) for f in seen.findings}
    assert not seen.unsafe, "the header is sound: the native loader may speak for itself"


def test_a_missing_tensor_is_found(tmp_path: Path) -> None:
    tensors = [t for t in float_tensors() if t[0] != "blk.0.ffn_up.weight"]
    seen = of_gguf(tmp_path, gguf_bytes(tensors=tensors))
    assert "TENSOR-MISSING" in codes(seen)


def test_an_architecture_that_is_not_listed_is_not_accused(tmp_path: Path) -> None:
    """Another family has other tensors; only layers, width and vocabulary are compared."""
    metadata = {k.replace("llama.", "mamba."): v for k, v in METADATA.items()}
    metadata["general.architecture"] = "mamba"
    tensors = [t for t in float_tensors() if "ffn" not in t[0]]
    assert of_gguf(tmp_path, gguf_bytes(metadata, tensors)).findings == ()


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"hidden_size": 64}, "TENSOR-SHAPE"),
        ({"num_hidden_layers": 2}, "CONFIG-BLOCKS"),
        ({"vocab_size": 9}, "TENSOR-SHAPE"),
        ({"tie_word_embeddings": False}, "TENSOR-MISSING"),
    ],
)
def test_a_config_json_that_disagrees_is_found(
    tmp_path: Path, config: dict[str, Any], code: str
) -> None:
    assert code in codes(inspect(hf_folder(tmp_path / "hf", CONFIG | config), "safetensors"))


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _large_token(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [{"id": 8, "content": "<new>"}]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def _nan(folder: Path) -> None:
    tensors = hf_tensors()
    dtype, shape, raw = tensors["model.norm.weight"]
    tensors["model.norm.weight"] = (dtype, shape, struct.pack("<f", float("inf")) + raw[4:])
    (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (_without("config.json"), "CONFIG"),
        (_without("tokenizer.json"), "TOKENIZER"),
        (_without("model.safetensors"), "ST-MISSING"),
        (_large_token, "CONFIG-VOCAB"),
        (_nan, "TENSOR-NONFINITE"),
    ],
)
def test_a_damaged_folder_is_found(
    tmp_path: Path, damage: Callable[[Path], None], code: str
) -> None:
    folder = hf_folder(tmp_path / "hf")
    damage(folder)
    assert code in codes(inspect(folder, "safetensors"))


def test_an_absent_file_is_a_finding_and_no_exception(tmp_path: Path) -> None:
    seen = inspect(tmp_path / "absent.gguf", "gguf")
    assert codes(seen) == {"IO"}
    assert seen.unsafe


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", *SCALES])
def test_a_nan_is_found_in_every_type_that_is_scanned(tmp_path: Path, kind: str) -> None:
    size, places = SCALES.get(kind, (4 if kind == "F32" else 2, (0,)))
    nan = {"F32": b"\x00\x00\xc0\x7f", "BF16": b"\xc0\x7f"}.get(kind, b"\x00\x7e")
    sound = bytearray(b"\x01\x02" * (size * 4))
    file = tmp_path / "values"
    file.write_bytes(sound)
    assert Values(file).scan(kind, 0, len(sound)) == (0, False)
    for place in places:
        bad = bytearray(sound)
        bad[size * 2 + place : size * 2 + place + len(nan)] = nan
        file.write_bytes(bad)
        assert Values(file).scan(kind, 0, len(bad)) == (1, False)
    file.write_bytes(bytes(len(sound)))
    assert Values(file).scan(kind, 0, len(sound)) == (0, True)


def test_a_row_that_dwarfs_the_others_is_found_and_a_large_one_is_not(tmp_path: Path) -> None:
    for factor, expected in ((5.0, set()), (1000.0, {"TENSOR-OUTLIER-ROW"})):
        tensors = float_tensors()
        name, shape, kind, raw = tensors[0]
        rows = np.frombuffer(raw, dtype=np.float32).reshape(-1, shape[0]).copy()
        rows[3] *= factor
        tensors[0] = (name, shape, kind, rows.tobytes())
        seen = of_gguf(tmp_path, gguf_bytes(tensors=tensors))
        assert codes(seen) == expected
        assert all("row 3" in f.message for f in seen.findings)


@pytest.mark.parametrize(
    ("defect", "code", "unsafe"),
    [
        (plant.truncated, "GGUF-TRUNCATED", True),
        (plant.truncated_header, "GGUF-TRUNCATED", True),
        (plant.wrong_magic, "GGUF-MAGIC", True),
        (plant.zeroed_norm, "TENSOR-ZERO", False),
        (plant.nan_in_norm, "TENSOR-NONFINITE", False),
        (plant.nan_in_block_scale, "TENSOR-NONFINITE", False),
        (plant.blown_up_pad_row, "TENSOR-OUTLIER-ROW", False),
        (plant.config_mismatch, "CONFIG-BLOCKS", False),
        (plant.missing_tensor, "TENSOR-MISSING", False),
        (plant.unknown_architecture, "GGUF-KEY", False),
    ],
)
def test_a_defect_of_the_real_model_is_found(
    smollm2: Path, tmp_path: Path, defect: Callable[[Path, Path], None], code: str, unsafe: bool
) -> None:
    file = tmp_path / "planted.gguf"
    defect(smollm2, file)
    seen = inspect(file, "gguf")
    file.unlink()
    assert code in codes(seen)
    assert seen.unsafe is unsafe


def test_the_real_model_has_no_findings(smollm2: Path) -> None:
    seen = inspect(smollm2, "gguf")
    assert seen.findings == ()
    assert (seen.tensors, seen.parameters) == (272, 134_515_008)
