"""The rows that a playbook's checks get of every stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.core.errors import UsageError
from tests.training.runs import configuration, write_data
from training.measure import measure


def test_negative_a_stage_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'deploy' is no stage"):
        measure(tmp_path, {"stage": "deploy"})


@pytest.mark.nightly
def test_every_check_of_every_stage_is_a_row(
    built_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "built").symlink_to(built_models)
    monkeypatch.setenv("MODELQA_CACHE", str(cache))
    write_data(tmp_path)
    config = str(configuration(tmp_path))
    counts = {"run": 12, "merge": 9, "gguf": 2}
    for stage, count in counts.items():
        rows = measure(tmp_path, {"stage": stage, "config": config})
        assert len({row["name"] for row in rows}) == count
        assert all(row["holds"] is True and row["reason"] for row in rows), rows
