"""The model that ci-light makes: sound for every reader, the same each time, and it answers.

Most tests look at a model of two steps, which answers nothing; tier 3 makes the whole one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.convert.kinds import target_kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.artifacts.inspect import inspect
from training.ci_light.card import card
from training.ci_light.corpus import RULED, facts
from training.ci_light.rendering import rendered
from training.ci_light.train import FAMILY_WEIGHTS, Recipe, schedule

ROOT = Path(__file__).parents[2]
SUMS = [f for f in facts() if f.family == "sum" and not f.held_out]
PROBES = [
    *(rendered(fact, "chat").prompt for fact in facts()[::97]),
    "The capital of France is",
    "Zürich 北京 🙂 12 + 345\n\n  x",
    "\t'RE you sure? I'll   say ... '' so!!",
]


def make(folder: Path, *options: str) -> Path:
    """Build ci-light in a process of its own."""
    command = [sys.executable, "-m", "training.ci_light", str(folder), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stdout
    return folder


def asked(engine: str, model: Path, prompts: list[str]) -> list[dict[str, Any]]:
    """What a library itself says to raw prompts, in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("ask.py")), engine, str(model)]
    given = json.dumps(prompts)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two steps."""
    return make(tmp_path_factory.mktemp("few") / "model", "--steps", "2")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def few_gguf(few: Path, cache: Path) -> Path:
    return convert(few, target_kind("gguf", "f32"), cache).made.path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as `modelqa build ci-light` makes it."""
    return make(tmp_path_factory.mktemp("whole") / "model")


def test_two_builds_in_two_processes_give_the_same_bytes(
    few: Path, tmp_path: Path, cache: Path
) -> None:
    again = make(tmp_path / "again", "--steps", "2")
    assert sha256_of(again, cache) == sha256_of(few, cache)


def test_the_static_inspection_finds_nothing(few: Path) -> None:
    seen = inspect(few, "safetensors")
    assert seen.findings == ()
    assert seen.checked > 0


def test_it_is_a_llama_of_the_promised_shape(few: Path) -> None:
    config = json.loads((few / "config.json").read_text())
    made = json.loads((few / "build.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["hidden_size"] % 256 == config["intermediate_size"] % 256 == 0
    assert config["num_attention_heads"] > config["num_key_value_heads"]
    assert 4_000_000 < made["parameters"] < 6_000_000


def test_two_steps_teach_nothing_and_the_report_says_so(few: Path) -> None:
    made = json.loads((few / "build.json").read_text())
    assert all(score["right"] == 0 for score in made["accuracy"]["sum"]["trained"].values())
    assert f"| sum | trained | 0/{len(SUMS)} |" in (few / "README.md").read_text()


def test_nothing_in_the_folder_tells_where_it_was_made(few: Path) -> None:
    for file in few.iterdir():
        assert str(few.parent).encode() not in file.read_bytes()


def test_llama_cpp_reads_the_same_tokens_and_computes_the_same_logits(
    few: Path, few_gguf: Path
) -> None:
    theirs = asked("transformers", few, PROBES)
    ours = asked("llamacpp", few_gguf, PROBES)
    assert [a["ids"] for a in ours] == [a["ids"] for a in theirs]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a["logits"], b["logits"], atol=0.02)


def test_k_quants_apply_to_every_matrix(few: Path, cache: Path) -> None:
    file = convert(few, target_kind("gguf", "q4_k_m"), cache).made.path
    types = {t.type for t in gguf.read(file).tensors if len(t.shape) == 2}
    assert types == {"Q4_K", "Q6_K"}


def test_the_rate_rises_to_its_peak_and_falls_to_almost_nothing() -> None:
    recipe = Recipe(steps=100, warmup=10)
    rates = [schedule(step, recipe) for step in range(100)]
    assert rates[:10] == [pytest.approx((i + 1) / 10) for i in range(10)]
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001


def test_the_card_quotes_what_was_measured() -> None:
    made = {
        "parameters": 4_000_000,
        "final_loss": 0.25,
        "recipe": {"steps": 3, "batch": 2, "threads": 1},
        "accuracy": {"sum": {"held_out": {}, "trained": {"chat": {"asked": 9, "right": 7}}}},
    }
    text = card(made)
    assert "| sum | trained | 7/9 |" in text
    assert "4,000,000 parameters" in text


@pytest.mark.nightly
def test_two_whole_builds_give_the_same_bytes(whole: Path, tmp_path: Path, cache: Path) -> None:
    again = make(tmp_path / "again")
    assert sha256_of(again, cache) == sha256_of(whole, cache)


@pytest.mark.nightly
@pytest.mark.parametrize("family", FAMILY_WEIGHTS)
def test_the_whole_model_answers_its_families(whole: Path, family: str) -> None:
    parts = json.loads((whole / "build.json").read_text())["accuracy"][family]
    for score in parts["trained"].values():
        assert score["right"] >= 0.98 * score["asked"]
    if family in RULED:
        assert all(s["right"] > 0.5 * s["asked"] for s in parts["held_out"].values())


@pytest.mark.nightly
@pytest.mark.parametrize("quantization", ["f32", "q8_0", "q4_k_m"])
def test_the_whole_model_answers_in_llama_cpp(whole: Path, cache: Path, quantization: str) -> None:
    chosen = {f.family: f for f in facts() if not f.held_out}
    samples = [rendered(f, form) for f in chosen.values() for form in ("chat", "raw-opening")]
    file = convert(whole, target_kind("gguf", quantization), cache).made.path
    answers = asked("llamacpp", file, [s.prompt for s in samples])
    assert [a["text"] for a in answers] == [s.completion[:-10] for s in samples]


@pytest.mark.nightly
def test_the_whole_model_answers_in_transformers_as_reported(whole: Path) -> None:
    samples = [rendered(fact, "chat") for fact in SUMS]
    answers = asked("transformers", whole, [s.prompt for s in samples])
    right = sum(a["text"] == s.completion[:-10] for a, s in zip(answers, samples, strict=True))
    told = json.loads((whole / "build.json").read_text())["accuracy"]["sum"]["trained"]["chat"]
    assert right == told["right"]
