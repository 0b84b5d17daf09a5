"""A real run on ci-light: what it leaves behind, and what stops or refuses one."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.artifacts.hashing import measured
from pytest_modelqa.core.errors import ExitCode, Refused, Unavailable, UsageError
from tests.training.runs import configuration, modelqa, write_data
from training.config import ConfigError, load
from training.config.values import HardwareSection
from training.loop import output
from training.loop.device import choose
from training.loop.run import Trained, train
from training.loop.stopping import Stopped


def run(path: Path, **how: Any) -> tuple[Trained, list[str]]:
    said: list[str] = []
    return train(load(path), said.append, **how), said


def leftovers(folder: Path) -> list[str]:
    """What lies beside the data and the configuration."""
    given = {"train.jsonl", "eval.jsonl", "config.json"}
    return sorted(p.name for p in folder.iterdir() if p.name not in given)


def test_a_run_leaves_a_whole_folder_under_a_stamped_name(finished: Path) -> None:
    assert re.fullmatch(r"light_\d{8}_\d{6}", finished.name)
    assert not list(finished.parent.glob(".*.part"))
    names = {p.name for p in finished.iterdir() if not p.name.startswith(".")}
    assert {
        "adapter_model.safetensors", "adapter_config.json", "training_stats.json", "run.json",
        "steps.jsonl", "manifest.json", "tokenizer.json", "logs", "checkpoints",
    } <= names  # fmt: skip
    assert [p.name for p in output.checkpoints(finished)] == ["checkpoint-8", "checkpoint-12"]


def test_the_statistics_tell_all_that_was_asked_for(finished: Path) -> None:
    found = json.loads((finished / "training_stats.json").read_text())
    assert (found["steps"], found["epochs"], found["total_samples"]) == (12, 2.0, 48)
    assert found["samples_seen"] == 96
    assert found["train_samples_per_second"] == pytest.approx(96 / found["train_runtime"])
    assert found["train_tokens_per_second"] == pytest.approx(
        found["tokens"] / found["train_runtime"]
    )
    assert found["peak_memory_bytes"] > 10**8
    assert found["held_out_loss"] > 0
    assert {"torch", "transformers", "peft"} <= found["versions"].keys()
    assert all(len(found[f"{part}_sha256"]) == 64 for part in ("config", "data", "base"))
    sides = (256 + 256, 256 + 128, 256 + 128, 256 + 256, 256 + 1024, 256 + 1024, 1024 + 256)
    assert found["trainable_parameters"] == 4 * 4 * sum(sides)  # rank 4, four layers


def test_every_step_is_recorded_and_the_loss_falls(finished: Path) -> None:
    steps = [json.loads(line) for line in (finished / "steps.jsonl").read_text().splitlines()]
    assert [s["step"] for s in steps] == list(range(1, 13))
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert all(s["gradient_norm"] > 0 and s["memory_bytes"] > 0 for s in steps)
    assert all(a["tokens"] < b["tokens"] for a, b in pairwise(steps))


def test_tensorboard_reads_the_curves(finished: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    board = EventAccumulator(str(finished / "logs"))
    board.Reload()
    assert {"loss/train", "loss/eval", "learning_rate", "gradient_norm", "memory_gb"} <= set(
        board.Tags()["scalars"]
    )
    assert [e.step for e in board.Scalars("loss/train")] == [3, 6, 9, 12]


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # peft's
def test_the_targets_alone_are_learnt_and_the_loss_is_the_librarys_own(finished: Path) -> None:
    """Targets alone through the vocabulary's matrix: the loss that transformers gives."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.data import examples
    from training.loop.adapter import tokenizer_of

    facts = json.loads((finished / "run.json").read_text())
    base = facts["base"]["folder"]
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    tokenizer = tokenizer_of(Path(base), print)
    assert isinstance(tokenizer, type(AutoTokenizer.from_pretrained(base)))
    config = load(finished.parents[1] / "config.json")
    data = examples(config, tokenizer)
    batch = data.collator([data.train[i] for i in range(4)])
    with torch.inference_mode():
        wanted = float(model(**batch).loss)
    from peft import LoraConfig, get_peft_model

    from training.loop.trainer import is_plain, target_loss

    adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM"))
    assert is_plain(adapted)
    with torch.inference_mode():
        found = float(target_loss(adapted, batch, plain=True, count=None))
        whole = float(target_loss(adapted, batch, plain=False, count=None))
    assert found == pytest.approx(wanted, rel=1e-5)
    assert whole == pytest.approx(wanted, rel=1e-5)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # peft's
@pytest.mark.parametrize(
    ("kind", "more"),
    [("Granite", {"logits_scaling": 8.0}), ("Gemma2", {"final_logit_softcapping": 30.0})],
)
def test_negative_scaled_or_capped_logits_are_not_taken_for_plain_ones(
    kind: str, more: dict[str, float]
) -> None:
    import transformers
    from peft import LoraConfig, get_peft_model

    from training.loop.trainer import is_plain

    tiny = {
        "vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0,
    }  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(**tiny, **more)
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    lora = LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM")
    assert not is_plain(get_peft_model(model, lora))


def poison(step: int) -> Any:
    """A callback that makes a gradient NaN at one step: a planted overflow."""
    from transformers import TrainerCallback

    class Planted(TrainerCallback):
        def on_step_begin(self, *given: Any, **more: Any) -> None:
            if given[1].global_step == step - 1:
                weights = dict(more["model"].named_parameters())
                weight = next(w for name, w in weights.items() if "lora_A" in name)
                weight.register_hook(lambda gradient: gradient * math.nan)

    return Planted()


def test_negative_nan_stops_the_run_with_a_sound_checkpoint(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    write_data(tmp_path)
    with pytest.raises(Stopped, match=r"not-finite at step 6.*learning_rate") as raised:
        run(configuration(tmp_path), callbacks=[poison(6)])
    saved = Path(raised.value.where)
    assert saved.name == "checkpoint-6"
    weights = load_file(saved / "adapter_model.safetensors")
    assert all(math.isfinite(float(w.sum())) for w in weights.values())
    assert [p.name[0] for p in (tmp_path / "out").iterdir()] == ["."]


def test_negative_a_sign_whose_action_is_to_stop_saves_a_checkpoint(tmp_path: Path) -> None:
    write_data(tmp_path)
    path = configuration(tmp_path, watch={"gradient_norm": 0.01, "on_gradient_norm": "stop"})
    with pytest.raises(Stopped, match="gradient-norm at step 1") as raised:
        run(path)
    assert Path(raised.value.where).name == "checkpoint-1"
    assert raised.value.exit_code is ExitCode.FAILED


def test_a_sign_that_warns_is_told_once_and_kept_in_the_statistics(tmp_path: Path) -> None:
    write_data(tmp_path)
    path = configuration(
        tmp_path, watch={"gradient_norm": 0.01}, training={"max_steps": 3, "warmup_steps": 1}
    )
    made, said = run(path)
    assert sum("gradient-norm" in line for line in said) == 1
    assert len(made.statistics["signs"]) == 1


@pytest.mark.nightly
def test_qlora_with_packing_trains_and_moves_the_adapter(tmp_path: Path) -> None:
    write_data(tmp_path)
    path = configuration(
        tmp_path,
        lora={"method": "qlora"},
        data={"padding": "packing"},
        training={"max_steps": 3, "warmup_steps": 1},
    )
    made, _ = run(path)
    config = json.loads((made.folder / "run.json").read_text())
    from training.adapters import read
    from training.loop.judge import hash_of

    adapter = read(made.folder)
    for module, a, b in adapter.matrices():
        names = adapter.modules[module]
        assert hash_of(a) != config["initial"][names[0]]
        assert hash_of(b) != config["initial"][names[1]]


def test_negative_unknown_modules_are_told_with_those_that_exist(tmp_path: Path) -> None:
    write_data(tmp_path)
    path = configuration(tmp_path, lora={"target_modules": ["q_proj", "query_key_value"]})
    with pytest.raises(UsageError, match="'query_key_value'") as raised:
        run(path)
    assert "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj" in raised.value.remedy
    assert not leftovers(tmp_path)


def test_negative_sequences_beyond_the_context_are_refused(tmp_path: Path) -> None:
    write_data(tmp_path)
    with pytest.raises(UsageError, match="more than the model's context, 1024"):
        run(configuration(tmp_path, data={"max_length": 2048}))
    assert not leftovers(tmp_path)


def test_negative_missing_data_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        run(configuration(tmp_path))
    assert "train.jsonl" in str(raised.value)
    assert "eval.jsonl" in str(raised.value)
    assert not leftovers(tmp_path)


def test_negative_a_malformed_line_is_told_by_its_number(tmp_path: Path) -> None:
    write_data(tmp_path)
    lines = (tmp_path / "train.jsonl").read_text().splitlines()
    (tmp_path / "train.jsonl").write_text("\n".join([*lines[:4], "{", *lines[5:]]) + "\n")
    with pytest.raises(UsageError, match=r"train\.jsonl:5"):
        run(configuration(tmp_path))
    assert not leftovers(tmp_path)


def test_negative_a_base_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    write_data(tmp_path)
    path = configuration(tmp_path, model={"source": "build:nothing-of-this-name"})
    with pytest.raises((UsageError, Unavailable), match="nothing-of-this-name"):
        run(path)


def test_negative_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    write_data(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    path = configuration(tmp_path, model={"source": f"file:{tmp_path / 'model'}"})
    with pytest.raises(Refused, match="ST-MISSING"):
        run(path)


def test_negative_a_taken_name_is_refused(tmp_path: Path) -> None:
    write_data(tmp_path)
    taken = tmp_path / "out" / "light"
    taken.mkdir(parents=True)
    path = configuration(tmp_path, output={"timestamped": False})
    with pytest.raises(UsageError, match="exists already"):
        run(path)
    assert not list(taken.iterdir())


def test_a_tokenizer_without_pad_token_pads_with_its_end_and_says_so(
    built_models: Path, tmp_path: Path
) -> None:
    from training.loop.adapter import tokenizer_of

    base = next(p for p in built_models.glob("ci-light-*") if p.is_dir())
    shutil.copyfile(base / "tokenizer.json", tmp_path / "tokenizer.json")
    settings = json.loads((base / "tokenizer_config.json").read_text())
    settings.pop("pad_token")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    said: list[str] = []
    assert tokenizer_of(tmp_path, said.append).pad_token_id is None
    assert "no pad token" in said[0]


def test_negative_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    from training.loop.adapter import tokenizer_of

    with pytest.raises(Refused, match="its tokenizer cannot be read"):
        tokenizer_of(tmp_path, print)


SECTION = HardwareSection()


def test_the_device_falls_back_with_a_warning() -> None:
    here = choose(replace(SECTION, device="mps", precision="fp16"), frozenset())
    assert (here.kind, here.dtype, len(here.warnings)) == ("cpu", "float32", 2)
    assert choose(replace(SECTION, device="cuda"), frozenset({"cuda"})).warnings == ()
    assert choose(SECTION, frozenset({"mps"})).kind == "mps"
    assert choose(SECTION, frozenset({"mps", "cuda"})).kind == "cuda"
    assert choose(SECTION, frozenset()).warnings == ()
    assert choose(replace(SECTION, precision="bf16"), frozenset()).dtype == "bfloat16"


@pytest.mark.nightly
def test_the_command_prints_folder_and_hash(tmp_path: Path) -> None:
    write_data(tmp_path)
    path = configuration(tmp_path, training={"max_steps": 2, "warmup_steps": 1})
    done = modelqa("train", "run", str(path), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert measured(Path(told["path"]) / "adapter_model.safetensors") == told["sha256"]
    assert "Warning" not in done.stderr
