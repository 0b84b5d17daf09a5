"""Configuration parity: both artifacts say the same of the model that they hold.

Weights may be right to the last bit and the model wrong: rotary base, norm epsilon, heads and
special tokens decide what they compute. Only what both sides state is compared, and the verdict
says how much that was. The chat template is compared by what it writes, not by its spelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_modelqa.core.check import Category
from pytest_modelqa.core.comparison.tensors import (
    CompareConfiguration,
    ConfigurationCompared,
    ParameterCompared,
)
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

ESSENTIAL = ("architecture", "layers", "hidden size", "heads")
"""Without these on both sides nothing is known to be the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationParity:
    """Every hyper-parameter that both sides state is equal."""

    name: ClassVar[str] = "configuration-parity"
    gate: ClassVar[str] = "F-PARITY-CONFIG"
    category: ClassVar[Category] = Category.COMP

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """All of them, in one comparison."""
        return {"configuration": CompareConfiguration()}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by any that differs; inconclusive where the essential ones are not stated."""
        compared: ConfigurationCompared = answers["configuration"]
        both = [p for p in compared.parameters if p.stated]
        if wrong := different(compared):
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            return falsified(
                f"{worded(wrong[0])}{more}",
                tested=len(both),
                detail="\n".join(map(worded, wrong)),
                remedy="correct the metadata, or convert again from the reference",
            )
        lacking = [n for n in ESSENTIAL if n not in {p.name for p in both}]
        if lacking:
            return inconclusive(f"not stated on both sides: {', '.join(lacking)}", tested=len(both))
        alone = [p.name for p in compared.parameters if not p.stated]
        unsaid = f"; stated on one side alone: {', '.join(alone)}" if alone else ""
        return corroborated(
            f"{len(both)} parameters of {compared.reference_architecture} are equal{unsaid}",
            tested=len(both),
        )


def different(compared: ConfigurationCompared) -> list[ParameterCompared]:
    """The parameters that differ."""
    return [p for p in compared.parameters if not p.equal]


def worded(parameter: ParameterCompared) -> str:
    """One difference, with both sides' keys."""
    return (
        f"{parameter.name} is {parameter.candidate}, the reference says {parameter.reference} "
        f"({parameter.where})"
    )
