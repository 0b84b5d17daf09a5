"""`training.fixtures`: real stages, each made once, shared by the workers of pytest-xdist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_modelqa.core.errors import ModelQAError
from tests.training.runs import configuration, write_data
from training.making import CI_LIGHT, Stages, sources_hash

ASKING = """\
import json, os, sys
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(2))
def test_merged(merged_model, trained_adapter, base_model, tiny_model, number):
    assert (merged_model / "model.safetensors").is_file()
    assert json.loads((trained_adapter / "training_stats.json").read_text())["steps"] == 4
    assert base_model == tiny_model
    assert "torch" not in sys.modules
    worker = os.environ["PYTEST_XDIST_WORKER"]
    Path(os.environ["SEEN"], f"{number}-{worker}").write_text(str(trained_adapter))
"""


@pytest.mark.nightly
def test_two_workers_share_one_run(
    built_models: Path,
    pytester: pytest.Pytester,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "built").symlink_to(built_models)
    seen = tmp_path / "seen"
    seen.mkdir()
    monkeypatch.setenv("MODELQA_CACHE", str(cache))
    monkeypatch.setenv("SEEN", str(seen))
    write_data(tmp_path)
    steps = {"max_steps": 4, "warmup_steps": 1, "eval_steps": 0}
    config = configuration(tmp_path, training=steps)
    pytester.makepyfile(ASKING)
    pytester.makeini(f"[pytest]\nmodelqa_training_config = {config}\n")
    result = pytester.runpytest_subprocess("-p", "training.fixtures", "-n", "2", "--dist", "each")
    result.assert_outcomes(passed=4)
    assert len({p.name.split("-")[1] for p in seen.iterdir()}) == 2
    (one,) = {p.read_text() for p in seen.iterdir()}
    assert Path(one).is_relative_to(cache / "trained")
    assert len([p for p in (cache / "trained").iterdir() if p.is_dir()]) == 1
    assert json.loads((Path(one) / "run.json").read_text())["base"]["source"] == "build:ci-light"


def test_the_shipped_configuration_is_the_default() -> None:
    assert CI_LIGHT.is_file()


def test_what_a_run_is_made_by_has_a_hash() -> None:
    assert sources_hash() == sources_hash()
    assert len(sources_hash()) == 64


def test_negative_a_stage_that_fails_says_why_and_leaves_nothing(
    built_models: Path, tmp_path: Path
) -> None:
    write_data(tmp_path)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "built").symlink_to(built_models)
    config = configuration(tmp_path, data={"max_length": 4096})
    stages = Stages(config=config, cache=tmp_path / "cache", say=lambda _: None)
    with pytest.raises(ModelQAError, match=r"(?s)modelqa train run ended with 4.*max_length"):
        stages.adapter()
    kept = [p.suffix for p in (tmp_path / "cache" / "trained").iterdir() if p.is_dir()]
    assert kept == [".part"]
