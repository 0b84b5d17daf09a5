"""Pairs of models for parity: ci-light as it is made, and as a GGUF file with defects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.model import ArtifactSpec
from tests.checks.parity.asking import Told, asked


@pytest.fixture(scope="session")
def ci_light() -> tuple[Path, Path]:
    """The folder that `build:ci-light` makes, and the F16 GGUF file made of it."""
    folder = ArtifactSpec(
        model="ci-light", format="safetensors", quantization="f32", source="build:ci-light"
    )
    file = ArtifactSpec(
        model="ci-light", format="gguf", quantization="f16", source=f"derive:{folder.key}"
    )
    specs = {folder.key: folder, file.key: file}
    here = Path.cwd()
    return provision(folder, specs, folder=here).path, provision(file, specs, folder=here).path


Plant = Callable[[str, Mapping[str, Any]], Path]


@pytest.fixture(scope="session")
def plant(ci_light: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """Copies of the GGUF file with other metadata, by name."""
    from pytest_modelqa.artifacts.defects.gguf_edit import rewrite

    where = tmp_path_factory.mktemp("planted")

    def make(name: str, metadata: Mapping[str, Any]) -> Path:
        path = where / f"{name}.gguf"
        rewrite(ci_light[1], path, metadata={f"tokenizer.{k}": v for k, v in metadata.items()})
        return path

    return make


def _swapped(values: tuple[Any, ...], first: int, second: int) -> list[Any]:
    changed = list(values)
    changed[first], changed[second] = changed[second], changed[first]
    return changed


@pytest.fixture(scope="session")
def planted(ci_light: tuple[Path, Path], plant: Plant) -> Told:
    """What both checks say of copies with another tokenizer, and of the sound file, by name."""
    folder, sound = ci_light
    meta = gguf.read(sound).metadata
    ggml = "tokenizer.ggml."
    words, merges = meta[f"{ggml}tokens"], meta[f"{ggml}merges"]
    kinds = list(meta[f"{ggml}token_type"])
    end = meta[f"{ggml}eos_token_id"]
    start = words.index("<|im_start|>")
    assert kinds[start] == 3
    kinds[start] = 1
    copies = {
        "sound": sound,
        "merges": plant("merges", {"ggml.merges": _swapped(merges, 6, 40)}),
        "lost merges": plant("lost", {"ggml.merges": list(merges[: len(merges) // 2])}),
        "pre": plant("pre", {"ggml.pre": "default"}),
        "bos": plant("bos", {"ggml.add_bos_token": not meta.get(f"{ggml}add_bos_token", False)}),
        "eos": plant("eos", {"ggml.eos_token_id": (end + 1) % 3}),
        "added eos": plant("added", {"ggml.add_eos_token": True}),
        "entries": plant("entries", {"ggml.tokens": _swapped(words, 500, 501)}),
        "kind": plant("kind", {"ggml.token_type": kinds}),
    }
    found = asked(folder, *copies.values())
    return {name: found[str(path)] for name, path in copies.items()}
