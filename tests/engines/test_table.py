"""Engines are found by name; what is missing is told with the command that installs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.engines import DEFAULT_ENGINE, engine_table, resolve


def test_every_default_engine_is_in_the_table() -> None:
    assert set(DEFAULT_ENGINE.values()) <= set(engine_table())


def test_an_unknown_engine_is_a_usage_error_with_the_names() -> None:
    with pytest.raises(UsageError, match="llamacpp, scripted, transformers"):
        resolve("llamacp")


@pytest.mark.parametrize(
    ("engine", "module", "extra"),
    [("llamacpp", "llama_cpp", "llamacpp"), ("transformers", "torch", "hf")],
)
def test_a_missing_extra_names_the_pip_command(engine: str, module: str, extra: str) -> None:
    code = f"""
import sys
sys.modules[{module!r}] = None  # what Python itself does to make an import fail
from pytest_modelqa.core.errors import Unavailable
from pytest_modelqa.engines import resolve
try:
    resolve({engine!r})
except Unavailable as error:
    print(error.remedy)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f'python -m pip install "pytest-modelqa[{extra}]"'


def test_the_scripted_engine_says_that_it_is_synthetic() -> None:
    entry, found = resolve("scripted")
    assert entry.synthetic
    assert found.__name__ == "Scripted"
    assert not any(engine_table()[name].synthetic for name in DEFAULT_ENGINE.values())
