"""Nested pytest runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import scipy.special  # noqa: F401

# Nested runs in this process forget the modules that they import; C extensions (yaml, numpy,
# scipy) do not survive being imported twice, so everything is imported here before.
import pytest_modelqa.plugin.session  # noqa: F401

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def qualify(pytester: pytest.Pytester) -> Run:
    """Run pytest with a playbook in this process; workers are processes of their own anyway."""

    def run(playbook: Path, *args: str) -> pytest.RunResult:
        return pytester.runpytest("--playbook", str(playbook), "-p", "no:randomly", *args)

    return run


@pytest.fixture
def qualify_apart(pytester: pytest.Pytester) -> Run:
    """Run pytest with a playbook in a process of its own."""

    def run(playbook: Path, *args: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("--playbook", str(playbook), *args)

    return run
