"""Root of the test runs: the plugin itself comes through its entry point."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from suites.selection import needless

pytest_plugins = ["pytester", "training.fixtures"]

gc.set_threshold(100_000, 20, 100)
"""Importing torch and transformers makes a million objects that stay: a tenth of the time went into
looking through them again and again."""


_LONG = {"tier3": "takes a minute", "nightly": "takes minutes"}
"""What runs when it is asked for: the rest is what CI has time for on every push."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files without a test of the tiers asked for are not even imported."""
    return True if needless(collection_path, str(config.getoption("-m"))) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is long, unless `-m` names it."""
    asked = str(config.getoption("-m"))
    for mark, why in _LONG.items():
        reason = f"{why}; run: pytest -m {mark}"
        for item in items if mark not in asked else ():
            if isinstance(item, pytest.Function) and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))
