"""Central differences in float64: what the derivative is, whatever a backward says.

The loss is a random projection `sum(v * output)`. A plain sum hides every error in its null space:
the gradient of softmax or of a normalisation is then zero, and a backward of zeros passes.
The step is eps**(1/3), which balances truncation (step**2) and rounding (eps / step), both near
4e-11. Small tensors are probed element by element, larger ones in random directions: an error of a
millionth of a gradient's size shows in any of them. What fails is probed again element by element,
to name a place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from suites.gradients.case import Case, Tensors

BOUND = 1e-6
"""Largest relative error allowed; the differences themselves are good to about 1e-9."""

ELEMENTWISE = 32
"""Tensors of at most so many elements are probed element by element, where a case has few."""

FEW = 4
"""More tensors than these (a layer, a model) are probed in directions alone."""

DIRECTIONS = 2
"""Random directions for each larger tensor; one where a case has more tensors than MANY."""

MANY = 16

Method = Literal["elements", "directions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Directions in which a tensor is moved, first axis first: unit vectors, or random signs."""

    method: Method
    directions: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How far one gradient is from the differences.

    `relative` is the largest error over the largest derivative probed, of either side; it is NaN
    where a value is not finite and infinite where every derivative is zero, which is no evidence.
    """

    tensor: str
    elements: int
    method: Method
    probes: int
    absolute: float
    relative: float

    @property
    def ok(self) -> bool:
        """Whether the error is within the bound; NaN is not."""
        return self.relative <= BOUND


def step_for(dtype: torch.dtype) -> float:
    """The step that balances truncation and rounding of a central difference."""
    return float(torch.finfo(dtype).eps ** (1 / 3))


def upstream_for(output: Tensor) -> Tensor:
    """The projection: normal values of the output's shape, the same each time."""
    source = torch.Generator().manual_seed(7)
    return torch.randn(output.shape, generator=source, dtype=torch.float64).to(output.dtype)


def probes_of(case: Case) -> dict[str, Probes]:
    """How to probe every tensor of a case."""
    count = len(case.tensors)
    elementwise = ELEMENTWISE if count <= FEW else 0
    directions = DIRECTIONS if count <= MANY else 1
    return {
        name: probes_for(tensor, elementwise=elementwise, directions=directions)
        for name, tensor in case.tensors.items()
    }


def probes_for(tensor: Tensor, *, elementwise: int, directions: int = 1) -> Probes:
    """Every element of a small tensor, some directions of random signs of a larger one."""
    count = tensor.numel()
    if count <= elementwise:
        unit = torch.eye(count, dtype=tensor.dtype).reshape(count, *tensor.shape)
        return Probes(method="elements", directions=unit)
    source = torch.Generator().manual_seed(count)
    signs = torch.randint(0, 2, (directions, *tensor.shape), generator=source) * 2 - 1
    return Probes(method="directions", directions=signs.to(tensor.dtype))


def numeric(case: Case, probes: Mapping[str, Probes], upstream: Tensor, step: float) -> Tensors:
    """The derivative of the projected output along every probe, by central differences."""
    found = {}
    with torch.no_grad():
        for name, wanted in probes.items():
            values = [
                _slope(case, name, direction, upstream, step) for direction in wanted.directions
            ]
            found[name] = torch.stack(values)
    return found


def _slope(case: Case, name: str, direction: Tensor, upstream: Tensor, step: float) -> Tensor:
    here = case.tensors[name]
    above = case.run({**case.tensors, name: here + step * direction})
    below = case.run({**case.tensors, name: here - step * direction})
    return torch.sum(upstream * (above - below)) / (2 * step)


def analytic(case: Case, probes: Mapping[str, Probes], upstream: Tensor) -> Tensors:
    """The same derivatives from the backward of the module under test."""
    leaves = {name: case.tensors[name].detach().clone().requires_grad_() for name in probes}
    output = case.run({**case.tensors, **leaves})
    gradients: tuple[Tensor | None, ...] = (None,) * len(leaves)
    if output.requires_grad:  # a backward that is cut off altogether is one of zeros
        gradients = torch.autograd.grad(output, list(leaves.values()), upstream, allow_unused=True)
    return {
        name: torch.tensordot(probe.directions.flatten(1), _flat(gradient, probe), dims=1)
        for (name, probe), gradient in zip(probes.items(), gradients, strict=True)
    }


def _flat(gradient: Tensor | None, probe: Probes) -> Tensor:
    """A gradient as a vector; none at all is a gradient of zeros."""
    if gradient is None:
        return torch.zeros_like(probe.directions[0]).flatten()
    return gradient.flatten()


def compare(
    case: Case, probes: Mapping[str, Probes], ours: Tensors, truth: Tensors
) -> tuple[Measured, ...]:
    """Both sides of every tensor, reduced to its errors."""
    return tuple(
        _measured(name, case.tensors[name].numel(), probe, ours[name], truth[name])
        for name, probe in probes.items()
    )


def _measured(name: str, elements: int, probe: Probes, ours: Tensor, truth: Tensor) -> Measured:
    absolute = float((ours - truth).abs().max())
    scale = max(float(ours.abs().max()), float(truth.abs().max()))
    relative = absolute / scale if scale else math.inf
    return Measured(
        tensor=name,
        elements=elements,
        method=probe.method,
        probes=len(probe.directions),
        absolute=absolute,
        relative=relative if math.isfinite(absolute) else math.nan,
    )
