"""The matrix of a real chat model is told apart: sound, flipped, and worse than it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.model import ArtifactSpec
from pytest_modelqa.playbook.blocks import PARITY_PROMPTS
from tests.checks.parity.measuring import Case, Told, measured

pytestmark = pytest.mark.nightly
"""A minute of both engines on 135 million weights; ci-light shows the same in seconds."""

FEW = {"prompts": PARITY_PROMPTS[:4]}


@pytest.fixture(scope="module")
def told(smollm2: Path) -> dict[str, Told]:
    """Conversions of SmolLM2 against the float32 of its shipped 4-bit file."""
    shipped = ArtifactSpec(model="m", format="gguf", quantization="q4_1", source=f"file:{smollm2}")
    folder = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source=f"derive:{shipped.key}"
    )
    made = [
        ArtifactSpec(model="m", format="gguf", quantization=q, source=f"derive:{shipped.key}")
        for q in ("f16", "q5_k_m")
    ]
    specs = {s.key: s for s in (shipped, folder, *made)}
    here = Path.cwd()
    path = {k: provision(s, specs, folder=here).path for k, s in specs.items()}
    cases = {
        "f16": Case(path["gguf-f16"], "logits", FEW, "f16"),
        "q5_k_m": Case(path["gguf-q5_k_m"], "logits", FEW, "q5_k_m"),
        "q4_1 greedy": Case(
            path["gguf-q4_1"], "greedy", {"prompts": PARITY_PROMPTS[:1], "steps": 8}, "q4_1"
        ),
        "f16 greedy": Case(path["gguf-f16"], "greedy", {**FEW, "steps": 8}, "f16"),
    }
    return measured(path["safetensors-f32"], cases)


def test_f16_is_sound(told: dict[str, Told]) -> None:
    assert told["f16"].outcome == "corroborated", told["f16"].reason
    assert told["f16 greedy"].outcome == "corroborated", told["f16 greedy"].reason


def test_q5_k_m_is_beyond_the_ceiling_of_its_type(told: dict[str, Told]) -> None:
    assert told["q5_k_m"].outcome == "falsified"
    assert "mean KL" in told["q5_k_m"].reason
    assert "uncalibrated ceiling for q5_k_m" in told["q5_k_m"].reason


def test_the_shipped_file_flips_the_capital_of_france_and_it_is_told(
    told: dict[str, Told],
) -> None:
    seen = told["q4_1 greedy"]
    assert "What is the capital of France?" in seen.reason
    assert "at step 0: 'The' became 'L'" in seen.reason
    assert "Paris" in seen.detail.split("candidate:")[0]
    assert "Paris" not in seen.detail.split("candidate:")[1]
