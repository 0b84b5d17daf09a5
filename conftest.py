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
    """Leave out what is long, unless `-m` names it: skipped, or deselected where `-m` is given.

    A test of tier 3 in a file of tier 2 is no part of `-m tier2`, and so no skip of it.
    """
    asked = str(config.getoption("-m"))
    for mark, why in _LONG.items():
        long = [] if mark in asked else [i for i in items if _is_long(i, mark)]
        if asked and long:
            config.hook.pytest_deselected(items=long)
            out = set(long)
            items[:] = [i for i in items if i not in out]
        for item in long:
            item.add_marker(pytest.mark.skip(reason=f"{why}; run: pytest -m {mark}"))


def _is_long(item: pytest.Item, mark: str) -> bool:
    return isinstance(item, pytest.Function) and item.get_closest_marker(mark) is not None
