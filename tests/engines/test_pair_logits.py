"""Logits in chunks are those of one pass; noise is measured; a tokenizer's fault is told apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.comparison.logits import (
    Attribute,
    Attributed,
    CompareLogits,
    MeasureNoise,
    NoiseMeasured,
)
from pytest_modelqa.core.model import ArtifactSpec
from pytest_modelqa.core.wire import decode
from tests.engines.pair_probe import ROWS

ROOT = Path(__file__).parents[2]
ENGINES = ("transformers", "llamacpp")


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What the process of `pair_probe` found on ci-light."""
    folder = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source="build:ci-light"
    )
    file = ArtifactSpec(model="m", format="gguf", quantization="f16", source=f"derive:{folder.key}")
    specs = {folder.key: folder, file.key: file}
    paths = [provision(spec, specs, folder=ROOT).path for spec in (folder, file)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.pair_probe", *paths],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_logits_in_chunks_are_those_of_one_pass(told: dict[str, Any], engine: str) -> None:
    seen = told[engine]
    assert seen["ids"] > 2 * ROWS
    assert sum(seen["rows"]) == seen["ids"]
    assert max(seen["rows"]) == ROWS
    assert seen["width"] == 1024
    assert seen["apart"] < 0.02  # llama.cpp keeps keys and values in f16
    assert seen["top1"]


def test_noise_is_measured_in_two_batch_sizes_and_two_thread_counts(told: dict[str, Any]) -> None:
    noise = decode(NoiseMeasured, told["noise"])
    for side in (noise.reference, noise.candidate):
        assert [v.way for v in side] == ["one id at a time", "2 threads instead of 1"]
        assert all(0 <= v.kl_mean <= v.kl_max < 1e-5 for v in side)
    assert noise.reference[0].max_abs > 0
    assert told["threads"] == [1, 1]


def test_a_tokenizer_s_fault_is_in_its_ids_not_in_the_weights(told: dict[str, Any]) -> None:
    found = decode(Attributed, told["attributed"])
    assert len(found.candidate_ids) > len(found.reference_ids)
    by = {(c.weights, c.tokenizer): c for c in found.cells}
    healthy = by["candidate", "reference"]
    for broken in (by["candidate", "candidate"], by["reference", "candidate"]):
        assert broken.kl is not None
        assert healthy.kl is not None
        assert broken.kl > 100 * healthy.kl
        assert broken.text_loss > 2 * healthy.text_loss


def test_a_comparison_takes_ids_or_a_text() -> None:
    for kind in (CompareLogits, MeasureNoise):
        with pytest.raises(ValueError, match="either ids or a text"):
            kind(text="a", ids=(1,))
    with pytest.raises(ValueError, match="either ids or a text"):
        Attribute(text="")
