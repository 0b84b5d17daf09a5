"""The training configuration: the seed's values, and every mistake named with line and key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_modelqa.core.errors import ExitCode, UsageError
from training.config import ConfigError, load, missing, require_files
from training.config.load import SHIPPED
from training.config.schema import json_schema
from training.config.values import PROJECTIONS, TrainingConfig
from training.records import HOLD_OUT_SIZE, TRAINING_SETS

NAMES = ("balanced", "smollm2", "ci-light")
SMALLEST: dict[str, Any] = {
    "model": {"source": "build:ci-light"},
    "output": {"directory": "outputs/x"},
    "dataset": {"synthetic": {"size": 90}},
}


def written(folder: Path, **more: Any) -> Path:
    """A JSON file of the smallest configuration, with sections added or replaced."""
    path = folder / "config.json"
    path.write_text(json.dumps({**SMALLEST, **more}, indent=2))
    return path


def mistakes(path: Path) -> dict[str, str]:
    """What is wrong with a file, by key."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    return {p.path: p.message for p in caught.value.problems}


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_configurations_are_sound_and_fit_the_schema(name: str) -> None:
    path = SHIPPED / f"{name}.json"
    assert isinstance(load(path), TrainingConfig)
    jsonschema.validate(json.loads(path.read_text()), json_schema())


def test_balanced_is_the_seeds_configuration() -> None:
    config = load(SHIPPED / "balanced.json")
    named = {Path(f.file).stem: f.samples for f in config.dataset.train}
    assert named == dict(TRAINING_SETS)
    assert sum(named.values()) == 37_000
    assert config.dataset.eval is not None
    assert config.dataset.eval.samples == HOLD_OUT_SIZE == 2_000
    t = config.training
    assert (t.epochs, t.batch_size, t.gradient_accumulation_steps) == (2, 1, 12)
    assert (t.learning_rate, t.lr_scheduler, t.warmup_steps) == (2e-4, "cosine", 100)
    assert (t.weight_decay, t.max_grad_norm) == (0.01, 1.0)
    assert (t.logging_steps, t.save_steps, t.eval_steps, t.save_total_limit) == (50, 500, 500, 3)
    assert (t.optimizer, t.report_to) == ("adamw_torch", "tensorboard")
    assert (config.lora.r, config.lora.alpha, config.lora.dropout) == (16, 32, 0.05)
    assert config.lora.target_modules == PROJECTIONS
    assert (config.lora.task_type, config.lora.bias) == ("CAUSAL_LM", "none")
    assert (config.data.max_length, config.data.truncation) == (2048, True)
    assert (config.hardware.device, config.hardware.memory_fraction) == ("mps", 0.85)
    assert config.effective_batch == 12


def test_what_a_file_leaves_out_is_as_in_balanced(tmp_path: Path) -> None:
    config, balanced = load(written(tmp_path)), load(SHIPPED / "balanced.json")
    assert (config.training, config.lora, config.data, config.watch) == (
        balanced.training,
        balanced.lora,
        balanced.data,
        balanced.watch,
    )


def test_yaml_and_json_of_the_same_values_have_the_same_hash(tmp_path: Path) -> None:
    yaml = tmp_path / "config.yaml"
    yaml.write_text(
        "model: {source: 'build:ci-light'}\noutput:\n  directory: outputs/x\n"
        "dataset: {synthetic: {size: 90}}\nlora: {alpha: 32}  # an integer is a number\n"
    )
    assert load(yaml).sha256 == load(written(tmp_path)).sha256
    assert load(written(tmp_path, lora={"r": 8})).sha256 != load(yaml).sha256


WRONG = [
    ("training", {"epochs": 0}, "training.epochs", "greater than 0"),
    ("training", {"batch_size": 0}, "training.batch_size", "at least 1"),
    ("training", {"batch_size": 1.5}, "training.batch_size", "whole number"),
    ("training", {"learning_rate": 0}, "training.learning_rate", "greater than 0"),
    ("training", {"learning_rate": "2e-4"}, "training.learning_rate", "must be a number"),
    ("training", {"lr_scheduler": "cosin"}, "training.lr_scheduler", "did you mean 'cosine'"),
    ("training", {"optimizer": "sgd"}, "training.optimizer", "adamw_torch"),
    ("training", {"warmup_steps": -1}, "training.warmup_steps", "at least 0"),
    ("training", {"max_steps": 50}, "training", "shorter than max_steps, 50"),
    ("training", {"save_total_limit": 0}, "training.save_total_limit", "at least 1"),
    ("lora", {"r": 0}, "lora.r", "at least 1"),
    ("lora", {"r": -16}, "lora.r", "at least 1"),
    ("lora", {"alpha": 0}, "lora.alpha", "greater than 0"),
    ("lora", {"dropout": 1.0}, "lora.dropout", "less than 1"),
    ("lora", {"target_modules": []}, "lora.target_modules", "at least 1 entry"),
    ("lora", {"target_modules": ["q_proj", "q_proj"]}, "lora.target_modules[1]", "twice"),
    ("lora", {"target_modules": "q_proj"}, "lora.target_modules", "must be a list"),
    ("lora", {"bias": "all"}, "lora.bias", "none"),
    ("lora", {"method": "qlorra"}, "lora.method", "did you mean 'qlora'"),
    ("data", {"max_length": 4}, "data.max_length", "at least 16"),
    ("data", {"padding": True}, "data.padding", "batch"),
    ("data", {"truncate": True}, "data.truncate", "did you mean 'truncation'"),
    ("hardware", {"device": "gpu"}, "hardware.device", "cpu"),
    ("hardware", {"memory_fraction": 1.2}, "hardware.memory_fraction", "at most 1"),
    ("hardware", {"device": "cpu", "precision": "fp16"}, "hardware.precision", "bf16 or fp32"),
    ("watch", {"on_memory": "panic"}, "watch.on_memory", "warn"),
    ("model", {"source": "models/qwen"}, "model.source", "is no source"),
    ("model", {"source": "hf:nobody"}, "model.source", "hf:ORG/NAME"),
    ("model", {"source": "build:x", "revision": "main"}, "model.revision", "hf: sources"),
    ("model", {}, "model.source", "is missing"),
    ("output", {"directory": ""}, "output.directory", "at least 1 character"),
    ("dataset", {}, "dataset", "needs `train`"),
    ("dataset", {"synthetic": {"size": 8}}, "dataset.synthetic.size", "at least 9"),
    ("dataset", {"synthetic": {"seed": 1}}, "dataset.synthetic", "either `size` or `sets`"),
    (
        "dataset",
        {"synthetic": {"sets": [{"set": "guardrails", "records": 4}]}},
        "dataset.synthetic.sets",
        "needs `eval`",
    ),
    (
        "dataset",
        {"synthetic": {"sets": [{"set": n, "records": 4} for n in ("eval", "guardrails", "eval")]}},
        "dataset.synthetic.sets[2].set",
        "counted twice",
    ),
    ("trainig", {}, "trainig", "did you mean 'training'"),
]


@pytest.mark.parametrize(
    ("section", "values", "key", "said"), WRONG, ids=[f"{w[2]}-{i}" for i, w in enumerate(WRONG)]
)
def test_negative_a_wrong_value_is_named_by_its_key(
    tmp_path: Path, section: str, values: dict[str, Any], key: str, said: str
) -> None:
    found = mistakes(written(tmp_path, **{section: values}))
    named = [k for k in found if k.startswith(key)]
    assert named, found
    assert said in found[named[0]]
    assert len(found) == 1, found


def test_negative_all_mistakes_come_at_once_each_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "model: {source: 'build:ci-light', sorce: x}\n"
        "output:\n  directory: 3\n"
        "dataset:\n  train:\n    - {file: a.jsonl, sampels: 3}\n    - {file: ./a.jsonl}\n"
        "lora:\n  r: 0\n  alpha: 1\n  alpha: 2\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [(p.line, p.path) for p in caught.value.problems] == [
        (1, "model.sorce"),
        (3, "output.directory"),
        (6, "dataset.train[0].sampels"),
        (7, "dataset.train[1].file"),
        (9, "lora.r"),
        (11, "lora.alpha"),
    ]
    assert f"{path}:1:35: model.sorce: unknown key 'sorce'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("[]", "not a mapping"),
        ("{", "invalid YAML"),
        ("model: \x00", "not allowed"),
    ],
)
def test_negative_a_file_that_is_no_mapping_is_an_error_with_a_position(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load(path)


def test_negative_a_configuration_that_is_not_there_says_which_are_shipped(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"balanced\.json") as caught:
        load(tmp_path / "none.json")
    assert caught.value.exit_code == ExitCode.USAGE


def test_negative_files_and_generator_together_are_an_error(tmp_path: Path) -> None:
    both = {"synthetic": {"size": 90}, "train": [{"file": "a.jsonl"}]}
    assert "not both" in mistakes(written(tmp_path, dataset=both))["dataset.train"]


def test_negative_the_hold_out_may_not_be_a_training_set(tmp_path: Path) -> None:
    files = {"train": [{"file": "a.jsonl"}], "eval": {"file": "./a.jsonl"}}
    found = mistakes(written(tmp_path, dataset=files))
    assert "named twice" in found["dataset.eval.file"]


def test_negative_two_sets_of_one_name_are_an_error(tmp_path: Path) -> None:
    files = {"train": [{"file": "a/one.jsonl"}, {"file": "b/one.jsonl"}]}
    found = mistakes(written(tmp_path, dataset=files))
    assert "'a/one.jsonl' has that name too" in found["dataset.train[1].file"]


def test_negative_missing_files_are_listed_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.jsonl").write_text("{}\n")
    (tmp_path / "empty.jsonl").touch()
    files = {
        "train": [{"file": "here.jsonl"}, {"file": "gone.jsonl"}, {"file": "empty.jsonl"}],
        "eval": {"file": "gone-too.jsonl"},
    }
    config = load(written(tmp_path, dataset=files, model={"source": "file:no-model"}))
    assert [str(path) for _, path in missing(config)] == [
        "no-model",
        "gone.jsonl",
        "empty.jsonl",
        "gone-too.jsonl",
    ]
    with pytest.raises(ConfigError) as caught:
        require_files(config)
    lines = config.path.read_text().splitlines()
    for problem in caught.value.problems:
        named = problem.message.split()[0]
        assert named in lines[problem.line - 1]
    assert "empty.jsonl is empty" in str(caught.value)


def test_a_configuration_whose_files_are_there_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.jsonl").write_text("{}\n")
    config = load(written(tmp_path, dataset={"train": [{"file": "here.jsonl"}]}))
    require_files(config)
    assert missing(config) == ()


def test_the_committed_schema_is_the_one_of_the_code() -> None:
    committed = json.loads((SHIPPED.parent / "config" / "training.schema.json").read_text())
    assert committed == json_schema()


def test_negative_the_schema_refuses_what_the_loader_refuses() -> None:
    schema = json_schema()
    for section, values in (("lora", {"r": 0}), ("training", {"lr_scheduler": "x"}), ("x", {})):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**SMALLEST, section: values}, schema)


def test_configuration_generator_and_command_start_without_torch() -> None:
    code = (
        "import sys, training.config, training.synth, training.data, training.cli;"
        "print([m for m in ('torch', 'transformers', 'peft', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
