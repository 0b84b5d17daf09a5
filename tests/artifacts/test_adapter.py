"""An adapter's folder: read, inspected and recognised, and refused where its base is not here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.adapter import SETTINGS, WEIGHTS, base_of
from pytest_modelqa.artifacts.derivation import derivable_from
from pytest_modelqa.artifacts.formats import recognise
from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.model import ArtifactSpec


@pytest.fixture
def copied(trained_adapter: Path, tmp_path: Path) -> Path:
    """The adapter of ci-light, to be spoilt."""
    for name in (SETTINGS, WEIGHTS):
        shutil.copy(trained_adapter / name, tmp_path / name)
    return tmp_path


def test_a_sound_adapter_names_its_base_and_has_no_finding(copied: Path, base_model: Path) -> None:
    assert base_of(copied).samefile(base_model)
    assert recognise(copied) == "adapter"
    seen = inspect(copied, "adapter")
    assert seen.findings == ()
    assert seen.tensors > 0
    assert seen.checked > seen.tensors, "the base's header is checked too"


@pytest.mark.parametrize(
    "text", ["{}", "[]", "{", '{"base_model_name_or_path": "no/such/model"}'], ids=repr
)
def test_negative_without_its_base_an_adapter_is_unsafe(copied: Path, text: str) -> None:
    (copied / SETTINGS).write_text(text)
    with pytest.raises(Refused):
        base_of(copied)
    seen = inspect(copied, "adapter")
    assert [f.code for f in seen.findings] == ["ADAPTER-BASE"]
    assert seen.unsafe


def test_negative_a_base_that_is_cut_off_is_unsafe(
    copied: Path, base_model: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(base_model, base)
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    settings = json.loads((copied / SETTINGS).read_text())
    (copied / SETTINGS).write_text(json.dumps({**settings, "base_model_name_or_path": str(base)}))
    seen = inspect(copied, "adapter")
    assert seen.unsafe
    assert {f.code[:3] for f in seen.findings} == {"ST-"}


def test_negative_an_adapter_that_is_cut_off_is_unsafe(copied: Path) -> None:
    weights = copied / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert inspect(copied, "adapter").unsafe


def test_nothing_is_derived_from_an_adapter_or_into_one() -> None:
    adapter = ArtifactSpec(model="m", format="adapter", quantization="f32", source="file:a")
    gguf = ArtifactSpec(model="m", format="gguf", quantization="f16", source="file:b")
    assert derivable_from(gguf, {adapter.key: adapter}) is None
    assert derivable_from(adapter, {gguf.key: gguf}) is None
