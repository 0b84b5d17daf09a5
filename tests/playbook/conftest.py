"""Ways to load a text as a playbook."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.core.errors import PlaybookError, Problem
from pytest_modelqa.playbook.load import load
from pytest_modelqa.playbook.values import Playbook
from tests.playbook.ship_lines import EXAMPLES, HARNESS, ORACLES, PROMPTS, Read
from tests.playbook.stubs import FILES, MINIMAL, STUBS

Load = Callable[..., Playbook]
Problems = Callable[..., list[Problem]]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    """Write a text (after the minimal playbook, unless `whole`) and load it."""

    def run(text: str = "", *, whole: bool = False, model: str = "") -> Playbook:
        for name, lines in FILES.items():
            (tmp_path / name).write_text(lines, encoding="utf-8")
        path = tmp_path / "book.yaml"
        path.write_text(text if whole else MINIMAL + text, encoding="utf-8")
        return load(path, STUBS, model)

    return run


@pytest.fixture
def problems(loaded: Load) -> Problems:
    """The mistakes of a text, which must have some."""

    def run(text: str, *, whole: bool = False) -> list[Problem]:
        with pytest.raises(PlaybookError) as caught:
            loaded(text, whole=whole)
        return caught.value.problems

    return run


@pytest.fixture
def gated(tmp_path: Path) -> Read:
    """Load the minimal playbook with these blocks, beside a prompts' and an examples' file."""

    def run(
        harness: Mapping[str, Any] | None = None,
        *,
        prompts: Any = PROMPTS,
        examples: Any = EXAMPLES,
        files: Mapping[str, str] | None = None,
        **blocks: Any,
    ) -> Playbook:
        for name, lines in (("p.jsonl", prompts), ("e.jsonl", examples)):
            text = lines if isinstance(lines, str) else "\n".join(map(json.dumps, lines))
            (tmp_path / name).write_text(text, encoding="utf-8")
        for name, text in (files or {}).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        made = dict(blocks)
        if harness is not None:
            made["ship_gates"] = {"harnesses": {"h": {**HARNESS, **harness}}} | blocks.get(
                "ship_gates", {}
            )
        text = MINIMAL + "\n".join(f"{name}: {json.dumps(body)}" for name, body in made.items())
        path = tmp_path / "book.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, ORACLES)

    return run
