"""Hyper-parameters: what differs is falsified with both values, what nobody states is no pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.artifacts.differential import compare_configuration
from pytest_modelqa.checks.parity.configuration import ConfigurationParity
from pytest_modelqa.core.comparison.tensors import (
    CompareConfiguration,
    ConfigurationCompared,
    ParameterCompared,
)
from pytest_modelqa.core.verdict import Outcome, Verdict
from pytest_modelqa.core.wire import decode_answer, encode
from tests.artifacts.stored_models import gguf_file, hf_folder, weights

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"
TOKENS = {
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.padding_token_id": 0,
    "tokenizer.chat_template": TEMPLATE,
}


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("configured") / "hf"
    return hf_folder(folder, weights(), tokenizer_config={"chat_template": TEMPLATE})


def verdict_on(candidate: Path, reference: Path) -> Verdict:
    found = compare_configuration(candidate, reference, CompareConfiguration())
    assert decode_answer(encode(found)) == found
    return ConfigurationParity().judge({"configuration": found})


def file_with(tmp_path: Path, **metadata: Any) -> Path:
    renamed = {k.replace("__", "."): v for k, v in metadata.items()}
    return gguf_file(tmp_path / "m.gguf", weights(), metadata=TOKENS | renamed)


def test_sound_metadata_is_corroborated(tmp_path: Path, reference: Path) -> None:
    verdict = verdict_on(file_with(tmp_path), reference)
    assert verdict.outcome is Outcome.CORROBORATED
    assert verdict.tested >= 18


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rope__freq_base": 1e6}, "rotary base is 1000000, the reference says 10000"),
    ({"attention__layer_norm_rms_epsilon": 1e-6}, "norm epsilon is 1e-06"),
    ({"attention__head_count": 8}, "heads is 8, the reference says 4"),
    ({"attention__head_count_kv": 4}, "key-value heads is 4, the reference says 2"),
    ({"context_length": 2048}, "context is 2048"),
    ({"rope__dimension_count": 16}, "rotary dimensions is 16, the reference says 32"),
    ({"rope__scaling__type": "linear"}, "rotary scaling is linear, the reference says none"),
    ({"tokenizer.ggml.eos_token_id": 5}, "eos id is 5, the reference says 2"),
    ({"tokenizer.ggml.bos_token_id": 2}, "bos id is 2, the reference says 1"),
    ({"block_count": 4}, "layers is 4, the reference says 3"),
    ({"feed_forward_length": 512}, "feed-forward size is 512"),
]


@pytest.mark.parametrize(("change", "said"), WRONG, ids=[next(iter(w[0])) for w in WRONG])
def test_wrong_parameter_is_falsified_with_both_values(
    tmp_path: Path, reference: Path, change: dict[str, Any], said: str
) -> None:
    verdict = verdict_on(file_with(tmp_path, **change), reference)
    assert verdict.outcome is Outcome.FALSIFIED
    assert said in verdict.detail


def test_all_differences_are_listed(tmp_path: Path, reference: Path) -> None:
    file = file_with(tmp_path, rope__freq_base=5e5, context_length=64)
    verdict = verdict_on(file, reference)
    assert "and 1 more" in verdict.reason
    assert verdict.detail.count("\n") == 1


def test_one_of_several_ends_of_text_is_enough(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "hf", weights(), config={"eos_token_id": [7, 2]})
    file = gguf_file(tmp_path / "m.gguf", weights(), metadata=TOKENS)
    assert verdict_on(file, folder).outcome is Outcome.CORROBORATED


def test_rotary_base_of_new_configurations_is_found(tmp_path: Path) -> None:
    rope = {"rope_theta": None, "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}
    folder = hf_folder(tmp_path / "hf", weights(), config=rope)
    right = file_with(tmp_path, rope__freq_base=5e5)
    assert verdict_on(right, folder).outcome is Outcome.CORROBORATED


def test_what_is_not_stated_is_no_pass() -> None:
    alone = ParameterCompared(name="layers", candidate="3", reference="", equal=True)
    found = ConfigurationCompared(
        candidate_architecture="llama", reference_architecture="", parameters=(alone,)
    )
    verdict = ConfigurationParity().judge({"configuration": found})
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "layers" in verdict.reason
