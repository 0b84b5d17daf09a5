"""One real run on ci-light, made once for all tests that look at runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.training.runs import configuration, write_data


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of 12 steps; tests that change it take `copied`."""
    from training.config import load
    from training.loop.run import train

    folder = tmp_path_factory.mktemp("finished")
    write_data(folder)
    return train(load(configuration(folder)), lambda _: None).folder


@pytest.fixture(scope="session")
def built_models() -> Path:
    """The cache's folder of built models, with ci-light in it; nested runs have another home."""
    from pytest_modelqa.artifacts.build import built
    from pytest_modelqa.artifacts.hashing import cache_root

    return built("ci-light", cache_root()).parent


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be spoilt."""
    return Path(shutil.copytree(finished, tmp_path / finished.name))
