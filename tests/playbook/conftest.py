"""Ways to load a text as a playbook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_modelqa.core.errors import PlaybookError, Problem
from pytest_modelqa.playbook.load import load
from pytest_modelqa.playbook.values import Playbook
from tests.playbook.stubs import MINIMAL, STUBS

Load = Callable[..., Playbook]
Problems = Callable[..., list[Problem]]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    """Write a text (after the minimal playbook, unless `whole`) and load it."""

    def run(text: str = "", *, whole: bool = False) -> Playbook:
        path = tmp_path / "book.yaml"
        path.write_text(text if whole else MINIMAL + text, encoding="utf-8")
        return load(path, STUBS)

    return run


@pytest.fixture
def problems(loaded: Load) -> Problems:
    """The mistakes of a text, which must have some."""

    def run(text: str, *, whole: bool = False) -> list[Problem]:
        with pytest.raises(PlaybookError) as caught:
            loaded(text, whole=whole)
        return caught.value.problems

    return run
