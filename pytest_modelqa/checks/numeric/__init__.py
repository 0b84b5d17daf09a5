"""Blocks that are measured by other packages and judged here, from gradients to training.

Each asks for rows (`core.measuring`) and judges them; thresholds are the checks' fields, which are
the block's parameters in a playbook.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from pytest_modelqa.checks.numeric.chaos import Chaos
from pytest_modelqa.checks.numeric.fuzz import Fuzz
from pytest_modelqa.checks.numeric.gradients import Gradients
from pytest_modelqa.checks.numeric.memory import Memory
from pytest_modelqa.checks.numeric.training import Training, training
from pytest_modelqa.core.check import Check

_CHECKS: dict[str, type[Gradients] | type[Chaos] | type[Fuzz] | type[Memory]] = {
    "gradients": Gradients,
    "chaos": Chaos,
    "fuzz": Fuzz,
    "memory": Memory,
}
MEASURED = (*_CHECKS, "training")


def numeric(block: str, gates: Sequence[str], parameters: Mapping[str, Any]) -> Iterator[Check]:
    """The checks of a block with its parameters, once for each gate that is named."""
    if block == "training":
        yield from training(gates, parameters)
        return
    kind = _CHECKS[block]
    own = {f.name for f in fields(kind)} - {"name", "gate"}
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in parameters.items()
        if key in own
    }
    yield from (kind(name=f"{block}[{gate}]", gate=gate, **given) for gate in gates)
    if not gates:
        yield kind(**given)


__all__ = ["MEASURED", "Chaos", "Fuzz", "Gradients", "Memory", "Training", "numeric"]
