"""The block `training` on real runs: sound stages are green, each planted defect red by its name.

Measurement and check together, as a playbook asks them.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pytest_modelqa.artifacts.defects.gguf_edit import rewrite
from pytest_modelqa.checks.numeric import Training
from pytest_modelqa.checks.numeric.training import ROWS
from pytest_modelqa.core.measuring import Measured, MeasuredRow, Measurement
from pytest_modelqa.core.verdict import Outcome, Verdict
from tests.training.runs import configuration, record, write_data
from training.conversion import TEMPLATE, converted
from training.distances import Distances
from training.findings import Finding
from training.loop.output import write_manifest
from training.measure import measure
from training.merge.run import Request, merge
from training.served import logits


def base_of(run: Path) -> Path:
    return Path(json.loads((run / "run.json").read_text())["base"]["folder"])


def judged(artifact: Path, check: Training) -> Verdict:
    """What the check says of what is really measured."""
    options = {
        key: value
        for key in ("stage", "config", "run", "merged", "gguf", "quantization")
        if (value := getattr(check, key))
    }
    rows = measure(artifact, options)
    told = tuple(
        MeasuredRow(values=tuple(Measured(name=k, value=v) for k, v in row.items())) for row in rows
    )
    return check.judge({"rows": Measurement(rows=told)})


def broken(verdict: Verdict) -> dict[str, str]:
    """The parts that are falsified, with their reasons."""
    assert verdict.outcome is Outcome.FALSIFIED, verdict
    return {p.name: p.reason for p in verdict.parts if p.outcome is Outcome.FALSIFIED}


@pytest.fixture(scope="module")
def merged(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("block") / "model"
    return merge(Request(adapter=finished, output=output), lambda _: None).folder


@pytest.fixture(scope="module")
def served(merged: Path) -> Path:
    return converted(merged, "f16", merged.parent / "cache")


def with_weights(merged: Path, folder: Path, weights: dict[str, Any]) -> str:
    shutil.copytree(merged, folder)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return str(folder)


@pytest.mark.parametrize("stage", ["data", "run", "merge"])
def test_sound_stages_are_corroborated(finished: Path, merged: Path, stage: str) -> None:
    check = Training(stage=stage, run=str(finished), merged=str(merged))
    verdict = judged(base_of(finished), check)
    assert verdict.outcome is Outcome.CORROBORATED, verdict
    assert tuple(sorted(p.name for p in verdict.parts)) == tuple(sorted(ROWS[stage]))


@pytest.mark.nightly
def test_a_sound_gguf_is_corroborated(finished: Path, merged: Path, served: Path) -> None:
    check = Training(stage="gguf", run=str(finished), merged=str(merged), gguf=str(served))
    verdict = judged(base_of(finished), check)
    assert verdict.outcome is Outcome.CORROBORATED, verdict
    assert tuple(p.name for p in verdict.parts) == ROWS["gguf"]


def test_negative_an_adapter_that_never_trained(finished: Path, copied: Path) -> None:
    from training.loop.judge import hash_of

    path = copied / "adapter_model.safetensors"
    weights = {n: np.zeros_like(w) if "lora_B" in n else w for n, w in load_file(path).items()}
    save_file(weights, path)
    facts = json.loads((copied / "run.json").read_text())
    facts["initial"] = {name: hash_of(w) for name, w in weights.items()}
    (copied / "run.json").write_text(json.dumps(facts))
    write_manifest(copied)
    found = broken(judged(base_of(finished), Training(stage="run", run=str(copied))))
    assert found.keys() == {"adapter-moved", "adapter-effect"}
    assert "56 of 56 never trained" in found["adapter-moved"]


def test_negative_merged_twice(finished: Path, merged: Path, tmp_path: Path) -> None:
    base, once = (load_file(f / "model.safetensors") for f in (base_of(finished), merged))
    twice = with_weights(merged, tmp_path / "m", {n: 2 * once[n] - base[n] for n in once})
    check = Training(stage="merge", run=str(finished), merged=twice)
    assert "merged twice" in broken(judged(base_of(finished), check))["merge-applied"]


def test_negative_wrong_alpha(finished: Path, merged: Path, tmp_path: Path) -> None:
    base, once = (load_file(f / "model.safetensors") for f in (base_of(finished), merged))
    more = {n: base[n] + np.float32(1.5) * (once[n] - base[n]) for n in once}
    check = Training(
        stage="merge", run=str(finished), merged=with_weights(merged, tmp_path / "m", more)
    )
    found = broken(judged(base_of(finished), check))
    assert "alpha is wrong: the weights hold 1.500 times" in found["merge-applied"]


def test_negative_the_base_in_place_of_the_merged_model(
    finished: Path, merged: Path, tmp_path: Path
) -> None:
    base = load_file(base_of(finished) / "model.safetensors")
    check = Training(
        stage="merge", run=str(finished), merged=with_weights(merged, tmp_path / "m", base)
    )
    found = broken(judged(base_of(finished), check))
    assert "these are the base's weights" in found["merge-applied"]


@pytest.mark.nightly
def test_negative_the_base_in_place_of_the_merged_gguf(
    finished: Path, merged: Path, tmp_path: Path
) -> None:
    file = converted(base_of(finished), "f16", tmp_path)
    check = Training(stage="gguf", run=str(finished), merged=str(merged), gguf=str(file))
    found = broken(judged(base_of(finished), check))
    assert found.keys() == {"gguf-logits", "gguf-not-base"}
    assert "the base was shipped in place of the merged model" in found["gguf-not-base"]


@pytest.mark.nightly
def test_negative_a_template_that_was_dropped_in_conversion(
    finished: Path, merged: Path, served: Path, tmp_path: Path
) -> None:
    rewrite(served, tmp_path / "m.gguf", metadata={TEMPLATE: None})
    check = Training(
        stage="gguf", run=str(finished), merged=str(merged), gguf=str(tmp_path / "m.gguf")
    )
    assert broken(judged(base_of(finished), check)) == {
        "template-kept": f"{TEMPLATE} is missing: the template was dropped"
    }


@pytest.mark.nightly
def test_negative_a_gguf_of_another_type_than_asked(
    finished: Path, merged: Path, served: Path
) -> None:
    check = Training(
        stage="gguf",
        quantization="q8_0",
        run=str(finished),
        merged=str(merged),
        gguf=str(served),
    )
    found = broken(judged(base_of(finished), check))
    assert found == {"file-type": "declares F16, asked for was q8_0"}


def test_negative_held_out_records_that_are_trained_on(tmp_path: Path) -> None:
    write_data(tmp_path)
    leaked = [record(1000), record(1003)]
    with (tmp_path / "train.jsonl").open("a") as file:
        file.writelines(json.dumps(each) + "\n" for each in leaked)
    check = Training(stage="data", config=str(configuration(tmp_path)))
    found = broken(judged(tmp_path, check))
    assert found.keys() == {"leakage"}
    assert "2 of 8 held-out records are trained on" in found["leakage"]


def test_negative_data_that_cannot_be_read(tmp_path: Path) -> None:
    write_data(tmp_path)
    (tmp_path / "train.jsonl").write_text('{"instruction": "x"\n')
    check = Training(stage="data", config=str(configuration(tmp_path)))
    assert "train.jsonl:1" in broken(judged(tmp_path, check))["data-made"]


def test_negative_without_a_hold_out_leakage_is_not_decided(tmp_path: Path) -> None:
    write_data(tmp_path)
    files = {"train": [{"file": str(tmp_path / "train.jsonl")}], "eval": None}
    path = configuration(tmp_path)
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "dataset": {"train": files["train"]}}))
    verdict = judged(tmp_path, Training(stage="data", config=str(path)))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "there is no hold-out" in verdict.reason


def test_negative_another_base_than_the_playbooks_model(finished: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(base_of(finished), tmp_path / "other"))
    (other / "generation_config.json").write_text("{}")
    found = broken(judged(other, Training(stage="run", run=str(finished))))
    assert found.keys() == {"base"}
    assert "trained on build:ci-light" in found["base"]


def test_a_playbook_may_bound_what_is_measured(finished: Path, merged: Path) -> None:
    def verdict(**bounds: float) -> Verdict:
        check = Training(stage="merge", run=str(finished), merged=str(merged), **bounds)  # type: ignore[arg-type]
        return judged(base_of(finished), check)

    assert verdict(min_effect=1e-4, max_merged_kl=1e-5).outcome is Outcome.CORROBORATED
    assert "max_merged_kl: 1e-30" in broken(verdict(max_merged_kl=1e-30))["merged-logits"]
    assert "min_effect: 1000" in broken(verdict(min_effect=1000.0))["adapter-effect"]


def poisoned(step: int) -> type[Any]:
    """Our trainer, whose gradients are NaN at one step."""
    from training.loop.trainer import AdapterTrainer

    class Planted(AdapterTrainer):
        def training_step(self, model: Any, *given: Any, **more: Any) -> Any:
            loss = super().training_step(model, *given, **more)
            for weight in model.parameters():
                if self.state.global_step == step - 1 and weight.grad is not None:
                    weight.grad *= math.nan
            return loss

    return Planted


@pytest.mark.nightly
def test_negative_nan_at_step_20_of_a_run(
    finished: Path, built_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.loop import steps

    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "built").symlink_to(built_models)
    monkeypatch.setenv("MODELQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(steps, "AdapterTrainer", poisoned(20))
    write_data(tmp_path)
    path = configuration(tmp_path, training={"max_steps": 24, "eval_steps": 0})
    found = broken(judged(base_of(finished), Training(stage="run", config=str(path))))
    assert "not-finite at step 20" in found["run-made"]


def near(kl: float) -> Distances:
    return Distances(positions=9, mean=kl, largest=kl, finite=math.isfinite(kl))


@pytest.mark.parametrize(
    ("kept", "back", "wrong"),
    [
        (0.01, 2.0, set()),
        (0.6, 2.0, {"gguf-logits"}),
        (0.3, 0.1, {"gguf-not-base"}),
        (2.0, 0.0, {"gguf-logits", "gguf-not-base"}),
        (math.nan, 2.0, {"gguf-logits", "gguf-not-base"}),
        (0.01, math.nan, {"gguf-not-base"}),
        (0.0, 0.0, {"gguf-not-base"}),
    ],
)
def test_negative_a_gguf_is_near_its_merged_model_and_nearer_than_to_the_base(
    kept: float, back: float, wrong: set[str]
) -> None:
    found = logits(near(kept), near(back), 0.5)
    assert {f.check for f in found if not f.passed} == wrong


@pytest.mark.parametrize(
    "change",
    [
        {"value": math.nan},
        {"value": math.inf},
        {"tested": 0},
        {"least": math.nan},
        {"least": None, "most": None},
        {"value": 0.9},
        {"value": 2.1},
    ],
)
def test_negative_a_finding_holds_within_its_bounds_alone(change: dict[str, Any]) -> None:
    sound = {"check": "x", "value": 1.0, "least": 1, "most": 2, "tested": 3, "reason": "r"}
    assert Finding(**sound).passed  # type: ignore[arg-type]
    spoilt = Finding(**{**sound, **change})
    assert not spoilt.passed
    json.dumps(spoilt.values, allow_nan=False)
