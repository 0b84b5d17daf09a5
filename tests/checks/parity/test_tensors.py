"""Verdicts on stored tensors: planted defects are falsified by name, sound files corroborated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pytest_modelqa.artifacts.differential import compare_tensors
from pytest_modelqa.checks.parity.tensors import LISTED, SAYINGS, TensorParity, judged
from pytest_modelqa.core.check import Check
from pytest_modelqa.core.comparison.tensors import (
    CompareTensors,
    Relation,
    TensorCompared,
    TensorsCompared,
)
from pytest_modelqa.core.model import ArtifactSpec, Cell
from pytest_modelqa.core.verdict import Outcome, Verdict
from tests.artifacts.stored_models import Weights, gguf_file, hf_folder, permuted, weights

CELL = Cell(
    artifact=ArtifactSpec(model="m", format="gguf", quantization="q8_0"),
    backend="cpu",
    modality="run",
    engine="llamacpp",
)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hf_folder(tmp_path_factory.mktemp("reference") / "hf", weights())


def verdict_on(candidate: Path, reference: Path) -> Verdict:
    """What the check says, asked as the runtime asks."""
    check: Check = TensorParity()
    (request,) = check.requests(CELL).values()
    assert isinstance(request, CompareTensors)
    return check.judge({"tensors": compare_tensors(candidate, reference, request)})


def without(name: str, source: Weights) -> Weights:
    return {n: v for n, v in source.items() if n != name}


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q4_0"])
def test_sound_file_is_corroborated_and_says_how_near_its_bound(
    tmp_path: Path, reference: Path, kind: str
) -> None:
    verdict = verdict_on(gguf_file(tmp_path / "m.gguf", weights(), kind), reference)
    assert verdict.outcome is Outcome.CORROBORATED
    assert verdict.tested == len(weights())
    assert f"22 {kind}" in verdict.reason
    assert "nearest to its bound" in verdict.reason


def test_reason_names_tensor_relation_and_bound(tmp_path: Path, reference: Path) -> None:
    name = "blk.2.attn_k.weight"
    file = gguf_file(tmp_path / "m.gguf", weights(), "Q8_0",
                     order=lambda n, v: v if n == name else permuted(n, v))  # fmt: skip
    verdict = verdict_on(file, reference)
    assert verdict.outcome is Outcome.FALSIFIED
    assert verdict.reason.startswith(
        "blk.2.attn_k.weight: rows are permuted as the Q/K head interleave does (missing); "
        "relative error 1."
    )
    assert ", bound 0.00" in verdict.reason
    assert "convert again" in verdict.remedy


def test_missing_tensor_is_falsified(tmp_path: Path, reference: Path) -> None:
    lacking = without("blk.1.ffn_up.weight", weights())
    verdict = verdict_on(gguf_file(tmp_path / "m.gguf", lacking), reference)
    assert verdict.outcome is Outcome.FALSIFIED
    assert verdict.reason == "blk.1.ffn_up.weight: is missing"


def test_misnamed_tensor_is_missing_and_its_content_is_recognised(
    tmp_path: Path, reference: Path
) -> None:
    renamed = {n.replace("blk.1.ffn_up", "blk.1.ffn_xx"): v for n, v in weights().items()}
    verdict = verdict_on(gguf_file(tmp_path / "m.gguf", renamed), reference)
    assert verdict.outcome is Outcome.FALSIFIED
    assert "blk.1.ffn_up.weight: is missing (of 2 tensors: 1 missing, 1 extra)" in verdict.reason
    assert "its content is the reference's blk.1.ffn_up.weight" in verdict.detail


@pytest.mark.parametrize("equal", [True, False])
def test_head_of_its_own_is_tied_where_it_equals_the_embedding(
    tmp_path: Path, reference: Path, equal: bool
) -> None:
    head = weights()["token_embd.weight"].copy()
    if not equal:
        head += np.random.default_rng(4).normal(0, 0.05, head.shape).astype(np.float32)
    file = gguf_file(tmp_path / "m.gguf", {**weights(), "output.weight": head}, "Q8_0")
    verdict = verdict_on(file, reference)
    if equal:
        assert verdict.outcome is Outcome.CORROBORATED
        assert "1 tied" in verdict.reason
    else:
        assert verdict.outcome is Outcome.FALSIFIED
        assert "output.weight: differs without any structure" in verdict.reason
        assert "the candidate stores a head of its own" in verdict.reason


def test_lost_head_is_falsified(tmp_path: Path) -> None:
    head = np.random.default_rng(4).normal(0, 0.05, (384, 128)).astype(np.float32)
    folder = hf_folder(tmp_path / "hf", {**weights(), "output.weight": head},
                       config={"tie_word_embeddings": False})  # fmt: skip
    verdict = verdict_on(gguf_file(tmp_path / "m.gguf", weights()), folder)
    assert verdict.outcome is Outcome.FALSIFIED
    assert "output.weight" in verdict.reason
    assert "the reference stores a head of its own" in verdict.reason


def test_architecture_that_is_not_known_decides_nothing_by_conventions(tmp_path: Path) -> None:
    config = {"model_type": "starcoder2"}
    folder = hf_folder(tmp_path / "hf", weights(), config=config)
    changed = weights()
    changed["blk.1.attn_output.weight"] = changed["blk.1.attn_output.weight"].T.copy()
    file = gguf_file(tmp_path / "m.gguf", changed, architecture="starcoder2",
                     order=lambda _, v: v)  # fmt: skip
    verdict = verdict_on(file, folder)
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict
    assert "not known here" in verdict.reason or "no known place" in verdict.reason


def _compared(*tensors: TensorCompared, **more: object) -> TensorsCompared:
    made = TensorsCompared(
        candidate_architecture="llama",
        reference_architecture="llama",
        verified=True,
        tensors=tensors,
    )
    return replace(made, **more)  # type: ignore[arg-type]


SOUND = TensorCompared(name="a", relation="same", error=0.0, bound=1e-6)


def test_nothing_compared_is_no_pass() -> None:
    assert judged(_compared(filtered=3)).outcome is Outcome.INCONCLUSIVE


def test_unmapped_tensor_is_no_pass() -> None:
    verdict = judged(_compared(SOUND, unmapped_reference=("model.layers.0.strange.weight",)))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "model.layers.0.strange.weight" in verdict.reason


def test_undecoded_tensor_is_no_pass() -> None:
    odd = TensorCompared(name="b", relation="undecoded", note="values of type Q8")
    assert judged(_compared(SOUND, odd)).outcome is Outcome.INCONCLUSIVE


def test_detail_is_bounded_and_counts_the_rest() -> None:
    many = [TensorCompared(name=f"t{i}", relation="noise", error=1.0, bound=0.1) for i in range(70)]
    verdict = judged(_compared(*many))
    assert verdict.detail.count("\n") == LISTED
    assert verdict.detail.endswith("... and 20 more")
    assert "70 noise" in verdict.reason


@pytest.mark.parametrize("relation", sorted(SAYINGS))
def test_every_relation_but_the_sound_ones_keeps_the_check_from_passing(
    relation: Relation,
) -> None:
    odd = TensorCompared(name="b", relation=relation, other="x", factor=2.0)
    outcome = judged(_compared(SOUND, odd)).outcome
    assert outcome is (Outcome.INCONCLUSIVE if relation == "undecoded" else Outcome.FALSIFIED)
