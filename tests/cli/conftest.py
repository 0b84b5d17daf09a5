"""Real comparisons of ci-light, made once: with its f16 copy, and with a copy that is damaged."""

from __future__ import annotations

import json
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.build import built
from pytest_modelqa.artifacts.convert.kinds import Kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.cli import main

PROMPTS = ("What is the capital of France?", "What is 2 + 2?", "Name an animal.")
NEGATED = "blk.1.attn_v.weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One run of `modelqa crossval`: its exit code, what it printed, and its receipt."""

    code: int
    printed: dict[str, Any]
    receipt: Path

    @property
    def document(self) -> dict[str, Any]:
        """A copy of the receipt to edit."""
        found: dict[str, Any] = json.loads(self.receipt.read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="session")
def ci_light() -> Path:
    """The folder of ci-light, float32 safetensors."""
    return built("ci-light", cache_root())


@pytest.fixture(scope="session")
def f16(ci_light: Path) -> Path:
    """The same model as an f16 GGUF file."""
    return convert(ci_light, Kind("gguf", "f16"), cache_root(), lambda _: None).made.path


@pytest.fixture(scope="session")
def negated(f16: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose second layer has the signs of its value projection turned."""
    path = tmp_path_factory.mktemp("negated") / "negated.gguf"
    shutil.copyfile(f16, path)
    tensor = next(t for t in gguf.read(path).tensors if t.name == NEGATED)
    words = np.memmap(path, np.uint16, "r+", tensor.offset, (tensor.bytes // 2,))
    words ^= 0x8000
    words.flush()
    return path


@pytest.fixture(scope="session")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of prompts: few, so that a comparison takes seconds."""
    path = tmp_path_factory.mktemp("prompts") / "prompts.txt"
    path.write_text("\n".join(PROMPTS) + "\n\n", encoding="utf-8")
    return path


def crossval(candidate: Path, reference: Path, folder: Path, *options: str) -> Compared:
    """Run the command into `folder`."""
    arguments = [str(candidate), str(reference), "--report", str(folder), *options]
    with redirect_stdout(StringIO()) as said:
        code = main(["crossval", *arguments, "--json"])
    (receipt,) = folder.glob("parity_*.json")
    return Compared(code=code, printed=json.loads(said.getvalue()), receipt=receipt)


@pytest.fixture(scope="session")
def same(
    f16: Path, ci_light: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Compared:
    """f16 against float32: the healthy neighbour."""
    options = ("--prompts", str(prompts), "--steps", "6")
    return crossval(f16, ci_light, tmp_path_factory.mktemp("same"), *options)


@pytest.fixture(scope="session")
def different(
    negated: Path, ci_light: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Compared:
    """The damaged copy against float32."""
    options = ("--prompts", str(prompts), "--steps", "6")
    return crossval(negated, ci_light, tmp_path_factory.mktemp("different"), *options)
