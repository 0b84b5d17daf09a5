"""transformers' hooks find the stages of each family by structure, and forcing works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LLAMA = ["attention_norm", "value", "heads", "attention", "ffn_norm", "gate", "up", "inner", "ffn",
         "output"]  # fmt: skip
GEMMA = ["attention_norm", "value", "heads", "attention", "attention_post_norm", "ffn_norm", "gate",
         "up", "inner", "ffn", "ffn_post_norm", "output"]  # fmt: skip
FUSED = ["attention_norm", "heads", "attention", "ffn_norm", "ffn", "output"]

BLOCKS = {
    "llama": LLAMA,
    "mistral": LLAMA,
    "qwen2": LLAMA,
    "qwen3": LLAMA,
    "gemma2": GEMMA,
    "phi3": FUSED,
}


@pytest.fixture(scope="module")
def families() -> dict[str, Any]:
    script = Path(__file__).with_name("trace_architectures.py")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("family", BLOCKS)
def test_each_family_shows_its_stages_in_execution_order(
    families: dict[str, Any], family: str
) -> None:
    seen = families[family]
    assert seen["blocks"] == BLOCKS[family]
    assert seen["once"]
    assert seen["ends"] == ["embedding", "final_norm", "logits"]


@pytest.mark.parametrize("family", BLOCKS)
def test_forcing_its_own_values_changes_nothing_and_other_values_do(
    families: dict[str, Any], family: str
) -> None:
    seen = families[family]
    assert seen["logits"]
    assert seen["same"]
    assert seen["moved"]
    assert seen["restored"]
