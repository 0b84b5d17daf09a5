"""Memory of training, planned in exact integers: full, LoRA and QLoRA. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import UsageError
from training.memory.approach import Approach
from training.memory.architecture import Architecture
from training.memory.models import MODELS, architecture
from training.memory.plan import MemoryPlan, make_plan

__all__ = ["MODELS", "Approach", "Architecture", "MemoryPlan", "architecture", "plan_memory"]


def plan_memory(
    config: Architecture | Mapping[str, Any] | str | Path, approach: Approach | str = "full"
) -> MemoryPlan:
    """How much memory training takes.

    `config` is an architecture, the contents of a config.json, a path to one, or a known name;
    `approach` is "full", "lora" or "qlora" with the defaults, or an `Approach`.

    Raises:
        UsageError: either is wrong; the message names the key, the value and what is allowed.
    """
    if isinstance(approach, str):
        approach = Approach(kind=approach)  # type: ignore[arg-type]  # checked by Approach
    if not isinstance(approach, Approach):
        raise UsageError(f"an approach is full, lora or qlora, not {type(approach).__name__}")
    return make_plan(architecture(config), approach)
