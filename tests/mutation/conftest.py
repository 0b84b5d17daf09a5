"""Small models of their own, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.artifacts.derive import derive
from tests.mutation import tiny


@pytest.fixture(scope="session")
def tiny_f32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as F32."""
    return tiny.write(tmp_path_factory.mktemp("tiny") / "tiny-f32.gguf")


@pytest.fixture(scope="session")
def tiny_q4_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in blocks of 4 bits with offsets."""
    return tiny.write(tmp_path_factory.mktemp("tiny") / "tiny-q4_1.gguf", "Q4_1")


@pytest.fixture(scope="session")
def tiny_folder(tiny_f32: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a safetensors folder."""
    folder = tmp_path_factory.mktemp("tiny-folder")
    derive(tiny_f32, folder)
    return folder
