"""Traces of the real model: planted defects are named with layer and sub-block, healthy files pass.

One process holds the reference (transformers, float32) and opens one candidate after the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.checks.parity.origin import Origin, origins
from pytest_modelqa.checks.parity.trace import TraceParity
from pytest_modelqa.checks.trace_payload import TracePayload
from pytest_modelqa.core.comparison.trace import TraceCompared
from pytest_modelqa.core.model import ArtifactSpec, Format
from pytest_modelqa.core.stages import Traced
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.core.wire import decode

pytestmark = pytest.mark.nightly

TEXT = "The capital of France is Paris, and the river that flows through it is called the Seine."

ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "f16": ("f16", {}),
    "q8_0": ("q8_0", {}),
    "q4_k_m": ("q4_k_m", {}),
    "value scaled": ("f16", {"plant": ("blk.5.attn_v.weight", "times 1.05")}),
    "query permuted": ("q8_0", {"plant": ("blk.12.attn_q.weight", "swapped halves of rows")}),
    "down zeroed": ("q8_0", {"plant": ("blk.3.ffn_down.weight", "zeros")}),
    "output reversed": ("q4_k_m", {"plant": ("blk.20.attn_output.weight", "reversed rows")}),
    "norm plus one": ("q4_k_m", {"plant": ("blk.9.ffn_norm.weight", "plus one")}),
    "final norm": ("q4_k_m", {"plant": ("output_norm.weight", "times 1.05")}),
    "NaN in a norm": ("q4_k_m", {"plant": ("blk.7.attn_norm.weight", "one NaN")}),
    "rotation": ("q8_0", {"hyper": ("llama.rope.freq_base", 1000.0)}),
    "epsilon": ("q4_k_m", {"hyper": ("llama.attention.layer_norm_rms_epsilon", 1e-3)}),
}
"""What is compared: the file, and what is done to it."""

ALONE: dict[str, tuple[str, dict[str, Any]]] = {
    "alone": ("q4_k_m", {}),
    "alone, norm zeroed": ("q4_k_m", {"plant": ("blk.7.attn_norm.weight", "zeros")}),
    "alone, NaN": ("q4_k_m", {"plant": ("blk.7.ffn_norm.weight", "one NaN")}),
}

NAMED = {
    "value scaled": ("value", 5),
    "query permuted": ("heads", 12),
    "down zeroed": ("ffn", 3),
    "output reversed": ("attention", 20),
    "norm plus one": ("ffn_norm", 9),
    "final norm": ("final_norm", None),
    "NaN in a norm": ("attention_norm", 7),
}


@pytest.fixture(scope="module")
def answers(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every answer by its name, from one process."""
    where = tmp_path_factory.mktemp("traces")
    paths = _files(smollm2, where)
    entries = [
        {"candidate": str(paths[file]), **how, "texts": [TEXT], "positions": 24}
        for file, how in ASKED.values()
    ]
    entries += [
        {"candidate": str(paths[file]), **how, "alone": TEXT} for file, how in ALONE.values()
    ]
    out = where / "answers.jsonl"
    worker = Path(__file__).with_name("trace_worker.py")
    done = subprocess.run(
        [sys.executable, str(worker), str(paths["reference"]), str(out)],
        input=json.dumps(entries),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    made = [json.loads(line) for line in out.read_text().splitlines()]
    return {
        name: decode(Traced if name in ALONE else TraceCompared, answer)
        for name, answer in zip([*ASKED, *ALONE], made, strict=True)
    }


def _files(smollm2: Path, where: Path) -> dict[str, Path]:
    shipped = ArtifactSpec(model="m", format="gguf", quantization="q4_1", source=f"file:{smollm2}")
    kinds: tuple[tuple[str, Format, str], ...] = (
        ("reference", "safetensors", "f32"),
        ("f16", "gguf", "f16"),
        ("q8_0", "gguf", "q8_0"),
        ("q4_k_m", "gguf", "q4_k_m"),
    )
    derived = {
        name: ArtifactSpec(model="m", format=form, quantization=kind, source="derive:gguf-q4_1")
        for name, form, kind in kinds
    }
    specs = {s.key: s for s in (shipped, *derived.values())}
    return {name: provision(s, specs, folder=where).path for name, s in derived.items()}


def _found(answer: Any) -> tuple[Origin, ...]:
    assert isinstance(answer, TraceCompared)
    return origins(answer)


@pytest.mark.parametrize("file", ["f16", "q8_0", "q4_k_m"])
def test_a_healthy_file_has_no_origin(answers: dict[str, Any], file: str) -> None:
    verdict = TraceParity().judge({"trace": answers[file]})
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason
    assert verdict.tested == 303
    assert not answers[file].unmatched


@pytest.mark.parametrize("name", NAMED)
def test_a_planted_defect_is_named_with_layer_and_sub_block(
    answers: dict[str, Any], name: str
) -> None:
    block, layer = NAMED[name]
    (found,) = _found(answers[name])
    assert (found.block, found.layers) == (block, () if layer is None else (layer,))
    assert TraceParity().judge({"trace": answers[name]}).outcome is Outcome.FALSIFIED


def test_an_error_before_the_origin_is_that_of_the_healthy_file(answers: dict[str, Any]) -> None:
    healthy, wrong = answers["q8_0"].stages, answers["query permuted"].stages
    at = next(i for i, s in enumerate(wrong) if (s.block, s.layer) == ("heads", 12))
    assert [s.error for s in wrong[:at]] == [s.error for s in healthy[:at]]
    assert wrong[-1].error > 2 * healthy[-1].error


def test_a_wrong_rotation_base_is_wrong_in_every_layer_and_grows_with_position(
    answers: dict[str, Any],
) -> None:
    (found,) = _found(answers["rotation"])
    assert found.block == "heads"
    assert found.everywhere
    assert found.at_start < 0.05


def test_a_permutation_is_wrong_from_the_second_position_on(answers: dict[str, Any]) -> None:
    (found,) = _found(answers["query permuted"])
    assert found.at_start < 0.05
    assert not found.grows


def test_a_wrong_epsilon_shows_in_norms_alone(answers: dict[str, Any]) -> None:
    found = _found(answers["epsilon"])
    assert found
    assert all(o.block.endswith("norm") for o in found)


def test_the_references_noise_is_far_below_what_float16_costs(answers: dict[str, Any]) -> None:
    stages = answers["f16"].stages
    assert 0 < max(s.noise for s in stages) < 1e-5
    assert answers["f16"].stages[-1].error > 1e-4


def test_a_healthy_model_alone_passes_and_its_zeroed_norm_is_named(
    answers: dict[str, Any],
) -> None:
    check = TracePayload()
    assert check.judge({"trace": answers["alone"]}).outcome is Outcome.CORROBORATED
    zeroed = check.judge({"trace": answers["alone, norm zeroed"]})
    assert zeroed.reason.startswith("layer 7 attention_norm: all values are 0")
    lost = check.judge({"trace": answers["alone, NaN"]})
    assert lost.reason.startswith("layer 7 ffn_norm")
    assert "NaN" in lost.reason
