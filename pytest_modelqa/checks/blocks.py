"""From a playbook's block to its checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_modelqa.checks.differential import differential
from pytest_modelqa.checks.numeric import MEASURED, numeric
from pytest_modelqa.checks.parity import parity
from pytest_modelqa.checks.parity.greedy import GreedyParity
from pytest_modelqa.checks.parity.logits import LogitsParity
from pytest_modelqa.checks.together import Together
from pytest_modelqa.checks.trace_payload import PayloadOutput, TracePayload
from pytest_modelqa.core.check import Check

COMPARED = ("parity", "tensor_diff", "fingerprint", "validate_stats", "inference_compare")
"""Blocks that ask of every artifact and its reference."""

ALONE = ("format_validation", "trace_payload")
"""Blocks that ask of every artifact."""

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedLogits(LogitsParity):
    """The logits of `inference_compare`."""

    name: ClassVar[str] = "inference_compare-logits"
    gate: ClassVar[str] = "F-ROSETTA-INF-002"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedText(GreedyParity):
    """The greedy ids of `inference_compare`, one by one."""

    name: ClassVar[str] = "inference_compare-text"
    gate: ClassVar[str] = "F-ROSETTA-INF-001"


def checks_of(block: str, gates: Sequence[str], parameters: Parameters) -> list[Check]:
    """The checks of a block, which decide `gates`, or those that are usual for it.

    `parameters` are the block's fields, and the playbook's `seed`.
    """
    if block == "parity":
        return list(parity(parameters, gates))
    if block in MEASURED:
        return list(numeric(block, gates, parameters))
    if block in ("inference_compare", "trace_payload"):
        return list(_claimed(block, gates, list(_several(block, parameters))))
    return list(differential(block, gates, parameters))


def _several(block: str, parameters: Parameters) -> Iterator[Check]:
    prompt = parameters["prompt"]
    if block == "trace_payload":
        yield TracePayload(prompt=prompt)
        yield PayloadOutput(prompt=prompt)
        return
    yield ComparedLogits(prompts=(prompt,), max_difference=parameters.get("tolerance"))
    yield ComparedText(prompts=(prompt,), steps=parameters["max_tokens"])


def _claimed(block: str, gates: Sequence[str], parts: Sequence[Check]) -> Iterator[Check]:
    """The parts with gates of their own, or all together once for each gate that is named."""
    if not gates:
        yield from parts
    for gate in gates:
        yield Together(
            name=f"{block}[{gate}]", gate=gate, category=parts[0].category, of=tuple(parts)
        )
