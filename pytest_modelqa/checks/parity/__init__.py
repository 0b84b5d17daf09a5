"""Parity: a candidate computes what its reference computes, stage by stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from pytest_modelqa.checks.parity.configuration import ConfigurationParity
from pytest_modelqa.checks.parity.diagnosis import GATE, Diagnosis
from pytest_modelqa.checks.parity.greedy import GreedyParity
from pytest_modelqa.checks.parity.logits import LogitsParity
from pytest_modelqa.checks.parity.order import QuantisationOrder
from pytest_modelqa.checks.parity.template import TemplateParity
from pytest_modelqa.checks.parity.tensors import TensorParity
from pytest_modelqa.checks.parity.tokenizer import TokenizerParity
from pytest_modelqa.checks.parity.trace import TraceParity
from pytest_modelqa.core.check import Check
from pytest_modelqa.core.model import Cell

PARTS: Mapping[str, Any] = {
    "tokenizer": TokenizerParity,
    "template": TemplateParity,
    "configuration": ConfigurationParity,
    "tensors": TensorParity,
    "logits": LogitsParity,
    "greedy": GreedyParity,
    "trace": TraceParity,
}


def parity(parameters: Mapping[str, Any], gates: Sequence[str] = ()) -> Iterator[Check]:
    """The checks of the block `parity`, whose fields are `parameters`; last the one of all.

    That one decides `gates`, where the playbook names any.
    """
    parts = tuple(_made(PARTS[part], parameters) for part in parameters["parts"])
    yield from parts
    for gate in gates or (GATE,):
        name = f"parity[{gate}]" if gates else "parity"
        yield Diagnosis(of=parts, gate=gate, name=name)


def in_order(cells: Sequence[Cell], checks: Iterable[Check]) -> Iterator[Check]:
    """Of the files of each backend, that more bits are not worse, where logits are compared."""
    for check in checks:
        for backend in dict.fromkeys(cell.backend for cell in cells):
            own = tuple(cell for cell in cells if cell.backend == backend)
            if type(check) is LogitsParity and len(own) > 1:
                yield QuantisationOrder(cells=own, logits=check)


def _made(kind: Any, parameters: Mapping[str, Any]) -> Check:
    """A check whose fields are those parameters that it names; its defaults where there is none."""
    wanted = {f.name for f in fields(kind)}
    given = {k: _frozen(v) for k, v in parameters.items() if k in wanted and v is not None}
    check: Check = kind(**given)
    return check


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
