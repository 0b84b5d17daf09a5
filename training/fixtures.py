"""A pytest plugin: every stage from a base model to a GGUF file, as fixtures with real training.

`pytest -p training.fixtures`, or `pytest_plugins = ["training.fixtures"]` in the root conftest.
Each stage is made once for its configuration, data, libraries and source, kept in the cache, and
shared by all sessions and all workers of pytest-xdist; a lock lets one of them make it.
The ini option `modelqa_training_config` names another configuration than the shipped ci-light.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from training.making import Stages

OPTION = "modelqa_training_config"


def pytest_addoption(parser: pytest.Parser) -> None:
    """One ini option."""
    parser.addini(OPTION, "configuration of the adapter that the training fixtures train")


@pytest.fixture(scope="session")
def modelqa_stages(pytestconfig: pytest.Config) -> Stages:
    """The stages of the configuration that the session trains by."""
    from pytest_modelqa.artifacts.hashing import cache_root  # noqa: PLC0415 - only where used
    from training.making import CI_LIGHT, Stages  # noqa: PLC0415

    given = str(pytestconfig.getini(OPTION) or "")
    config = pytestconfig.rootpath / given if given else CI_LIGHT
    return Stages(config=config, cache=cache_root(), say=lambda _: None)


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The folder of ci-light, a real Llama of 4.4 million parameters that answers its questions."""
    from pytest_modelqa.artifacts.build import built  # noqa: PLC0415
    from pytest_modelqa.artifacts.hashing import cache_root  # noqa: PLC0415

    return built("ci-light", cache_root())


@pytest.fixture(scope="session")
def base_model(modelqa_stages: Stages) -> Path:
    """The folder of the base model, safetensors."""
    return modelqa_stages.base()


@pytest.fixture(scope="session")
def trained_adapter(modelqa_stages: Stages) -> Path:
    """The folder of a finished run: adapter, tokenizer, statistics, logs."""
    return modelqa_stages.adapter()


@pytest.fixture(scope="session")
def merged_model(modelqa_stages: Stages) -> Path:
    """The folder of base and adapter merged, checked weight by weight and logit by logit."""
    return modelqa_stages.merged()


@pytest.fixture(scope="session")
def gguf_artifact(modelqa_stages: Stages) -> Callable[[str], Path]:
    """A function: the merged model as a GGUF file of a quantisation, `gguf_artifact("q8_0")`."""
    return modelqa_stages.gguf
