"""Real merges on ci-light: a sound one passes, spoilt ones are found by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from pytest_modelqa.artifacts.hashing import cache_root, measured, sha256_of
from pytest_modelqa.core.errors import OutputError, Refused, UsageError
from training import adapters
from training.conversion import TEMPLATE, carried, converted, template_of
from training.findings import all_hold
from training.merge.newest import newest_adapter
from training.merge.run import Request, merge
from training.merge.verify import verify


def quietly(_: str) -> None: ...


def base_of(run: Path) -> Path:
    return Path(json.loads((run / "run.json").read_text())["base"]["folder"])


@pytest.fixture(scope="module")
def merged(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("merged") / "model"
    return merge(Request(adapter=finished, output=output), quietly).folder


def broken(run: Path, folder: Path) -> dict[str, str]:
    found = verify(base_of(run), adapters.read(run), folder)
    return {f.check: f.reason for f in found if not f.passed}


def test_a_merge_holds_every_check_and_says_so(finished: Path, merged: Path) -> None:
    record = json.loads((merged / "merge.json").read_text())
    assert [f["check"] for f in record["findings"]] == [
        "merge-applied", "merge-rank", "merge-norm", "merge-exact", "merge-precision",
        "untouched-tensors", "carried-over", "adapter-effect", "merged-logits",
    ]  # fmt: skip
    assert all(f["passed"] for f in record["findings"])
    assert (record["r"], record["alpha"], record["dtype"]) == (4, 8.0, "float32")
    assert not broken(finished, merged)


def test_tokenizer_template_and_generation_settings_are_the_bases(
    finished: Path, merged: Path
) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert measured(merged / name) == measured(base_of(finished) / name)


def test_nothing_but_the_model_is_left(merged: Path) -> None:
    assert [p.name for p in merged.parent.iterdir()] == ["model"]


def test_bfloat16_holds_too(finished: Path, tmp_path: Path) -> None:
    made = merge(Request(adapter=finished, output=tmp_path / "half", dtype="bfloat16"), quietly)
    assert all_hold(made.findings)
    assert made.sha256 == sha256_of(tmp_path / "half", cache_root())


def with_weights(merged: Path, folder: Path, weights: dict[str, Any]) -> Path:
    shutil.copytree(merged, folder)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_negative_the_base_shipped_in_place_of_the_merged_model(
    finished: Path, merged: Path, tmp_path: Path
) -> None:
    base = load_file(base_of(finished) / "model.safetensors")
    found = broken(finished, with_weights(merged, tmp_path / "spoilt", base))
    assert "these are the base's weights" in found["merge-applied"]
    assert "merged-logits" in found


def test_negative_merged_twice(finished: Path, merged: Path, tmp_path: Path) -> None:
    base, once = (
        load_file(base_of(finished) / "model.safetensors"),
        load_file(merged / "model.safetensors"),
    )
    twice = {name: 2 * once[name] - base[name] for name in once}
    found = broken(finished, with_weights(merged, tmp_path / "spoilt", twice))
    assert "merged twice" in found["merge-applied"]
    assert "merged-logits" in found
    assert "merge-rank" not in found


def test_negative_wrong_alpha(finished: Path, merged: Path, tmp_path: Path) -> None:
    """Merged with alpha 12 by peft itself, where the run says 8."""
    other = Path(shutil.copytree(finished, tmp_path / "other"))
    settings = json.loads((other / "adapter_config.json").read_text())
    (other / "adapter_config.json").write_text(json.dumps({**settings, "lora_alpha": 12}))
    made = merge(Request(adapter=other, output=tmp_path / "model"), quietly)
    found = broken(finished, made.folder)
    assert "alpha is wrong" in found["merge-applied"]
    assert "1.500" in found["merge-applied"]


def test_negative_a_touched_norm_is_found(finished: Path, merged: Path, tmp_path: Path) -> None:
    weights = load_file(merged / "model.safetensors")
    weights["model.norm.weight"][0] += 1e-6
    found = broken(finished, with_weights(merged, tmp_path / "spoilt", weights))
    assert "model.norm.weight" in found["untouched-tensors"]


def test_negative_a_dropped_tokenizer_is_found(
    finished: Path, merged: Path, tmp_path: Path
) -> None:
    spoilt = Path(shutil.copytree(merged, tmp_path / "spoilt"))
    (spoilt / "tokenizer_config.json").write_text("{}")
    assert "tokenizer_config.json differs" in broken(finished, spoilt)["carried-over"]


def changed_run(run: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    facts = json.loads((run / "run.json").read_text())
    change(facts)
    (run / "run.json").write_text(json.dumps(facts))


def test_negative_base_and_adapter_of_different_models(copied: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(base_of(copied), tmp_path / "other"))
    weights = load_file(other / "model.safetensors")
    weights["model.norm.weight"][0] += 1
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Refused, match="base and adapter are of different models"):
        merge(Request(adapter=copied, output=tmp_path / "out", base=other), quietly)
    assert not (tmp_path / "out").exists()


def test_negative_an_adapter_whose_shapes_do_not_fit(copied: Path, tmp_path: Path) -> None:
    path = copied / "adapter_model.safetensors"
    weights = load_file(path)
    name = next(n for n in weights if "layers.0.self_attn.q_proj.lora_A" in n)
    weights[name] = weights[name][:, :128].copy()
    save_file(weights, path)
    with pytest.raises(Refused, match=r"of different models.*layers\.0\.self_attn\.q_proj"):
        merge(Request(adapter=copied, output=tmp_path / "out"), quietly)
    assert [p.name for p in tmp_path.iterdir()] == [copied.name]


def test_negative_a_base_in_4_bits_is_refused(copied: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(base_of(copied), tmp_path / "base"))
    config = json.loads((base / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (base / "config.json").write_text(json.dumps(config))
    (copied / "run.json").unlink()
    with pytest.raises(Refused, match="quantised") as raised:
        merge(Request(adapter=copied, output=tmp_path / "out", base=base), quietly)
    assert "--dequantise" in raised.value.remedy


@pytest.mark.nightly
def test_a_base_in_4_bits_is_merged_into_once_it_is_dequantised(
    finished: Path, tmp_path: Path
) -> None:
    request = Request(adapter=finished, output=tmp_path / "model", dequantise=True)
    made = merge(request, quietly)
    assert all_hold(made.findings)
    assert "quantization_config" not in json.loads((made.folder / "config.json").read_text())
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"r": 0}, "must be positive"),
        ({"lora_alpha": -1}, "must be positive"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"rank_pattern": {"q_proj": 2}}, "by module"),
    ],
)
def test_negative_adapters_of_another_kind_are_refused(
    copied: Path, change: dict[str, Any], word: str
) -> None:
    path = copied / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(Refused, match=word):
        adapters.read(copied)


def test_negative_an_output_that_exists_is_kept(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        merge(Request(adapter=finished, output=tmp_path), quietly)


def test_the_newest_whole_adapter_is_found(finished: Path, tmp_path: Path) -> None:
    for name, began in (("b_old", "2026-01-01"), ("a_new", "2026-02-01"), ("c_torn", "2026-03-01")):
        copy = Path(shutil.copytree(finished, tmp_path / name))
        changed_run(copy, lambda facts, began=began: facts.update(started=began))  # type: ignore[misc]
    (tmp_path / "c_torn" / "adapter_model.safetensors").unlink()
    shutil.copytree(finished, tmp_path / ".at_work.part")
    assert newest_adapter(tmp_path).name == "a_new"
    assert newest_adapter(tmp_path / "b_old").name == "b_old"


def test_the_command_merges_the_newest_adapter_of_a_folder(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pytest_modelqa.cli import main

    output = tmp_path / "model"
    assert main(["merge", str(finished.parent), "-o", str(output), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["path"], told["adapter"]) == (str(output), str(finished))
    assert told["sha256"] == sha256_of(output, cache_root())


FULL = """\
import resource, signal, sys
from pytest_modelqa.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
sys.exit(main(sys.argv[1:]))
"""
"""No file may grow beyond 2 MB: the merged model takes 18."""


@pytest.mark.nightly
def test_negative_a_full_disk_leaves_no_merged_model(finished: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, "merge", str(finished), "-o", str(tmp_path / "model")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == OutputError.exit_code, done.stderr
    assert "cannot be written" in done.stderr
    assert not list(tmp_path.iterdir())


def test_negative_no_adapter_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no adapter in this folder"):
        newest_adapter(tmp_path)


@pytest.mark.nightly
def test_the_template_comes_along_into_gguf(merged: Path, tmp_path: Path) -> None:
    file = converted(merged, "f16", tmp_path / "cache")
    assert all_hold(carried(merged, file))


@pytest.mark.nightly
def test_negative_a_template_dropped_in_conversion(merged: Path, tmp_path: Path) -> None:
    without = Path(shutil.copytree(merged, tmp_path / "without"))
    settings = json.loads((without / "tokenizer_config.json").read_text())
    assert template_of(without) == settings.pop("chat_template")
    (without / "tokenizer_config.json").write_text(json.dumps(settings))
    from pytest_modelqa.artifacts.convert.kinds import target_kind
    from pytest_modelqa.artifacts.convert.run import convert

    file = convert(without, target_kind("gguf", "f16"), tmp_path / "cache").made.path
    found = {f.check: f.reason for f in carried(merged, file) if not f.passed}
    assert found == {"template-kept": f"{TEMPLATE} is missing: the template was dropped"}
