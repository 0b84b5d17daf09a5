"""An adapter's folder: read, inspected and recognised, and refused where its base is not here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pytest_modelqa.artifacts.adapter import SETTINGS, WEIGHTS, base_of
from pytest_modelqa.artifacts.derivation import derivable_from
from pytest_modelqa.artifacts.formats import recognise
from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.model import ArtifactSpec


@pytest.fixture
def made(tiny_model: Path, tmp_path: Path) -> Path:
    """An adapter of ci-light with one pair of matrices, to be spoilt."""
    random = np.random.default_rng(0)
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    pair = {f"{name}.lora_{m}.weight": random.normal(size=(4, 4)) for m in "AB"}
    save_file({key: value.astype(np.float32) for key, value in pair.items()}, tmp_path / WEIGHTS)
    (tmp_path / SETTINGS).write_text(json.dumps({"base_model_name_or_path": str(tiny_model)}))
    return tmp_path


def test_a_sound_adapter_names_its_base_and_has_no_finding(made: Path, tiny_model: Path) -> None:
    assert base_of(made).samefile(tiny_model)
    assert recognise(made) == "adapter"
    seen = inspect(made, "adapter")
    assert seen.findings == ()
    assert seen.tensors > 0
    assert seen.checked > seen.tensors, "the base's header is checked too"


@pytest.mark.parametrize(
    "text", ["{}", "[]", "{", '{"base_model_name_or_path": "no/such/model"}'], ids=repr
)
def test_negative_without_its_base_an_adapter_is_unsafe(made: Path, text: str) -> None:
    (made / SETTINGS).write_text(text)
    with pytest.raises(Refused):
        base_of(made)
    seen = inspect(made, "adapter")
    assert [f.code for f in seen.findings] == ["ADAPTER-BASE"]
    assert seen.unsafe


def test_negative_a_base_that_is_cut_off_is_unsafe(
    made: Path, tiny_model: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    settings = json.loads((made / SETTINGS).read_text())
    (made / SETTINGS).write_text(json.dumps({**settings, "base_model_name_or_path": str(base)}))
    seen = inspect(made, "adapter")
    assert seen.unsafe
    assert {f.code[:3] for f in seen.findings} == {"ST-"}


def test_negative_an_adapter_that_is_cut_off_is_unsafe(made: Path) -> None:
    weights = made / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert inspect(made, "adapter").unsafe


def test_nothing_is_derived_from_an_adapter_or_into_one() -> None:
    adapter = ArtifactSpec(model="m", format="adapter", quantization="f32", source="file:a")
    gguf = ArtifactSpec(model="m", format="gguf", quantization="f16", source="file:b")
    assert derivable_from(gguf, {adapter.key: adapter}) is None
    assert derivable_from(adapter, {gguf.key: gguf}) is None
