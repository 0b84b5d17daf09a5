"""A gradient check's subject: a real module, the tensors to differentiate by, and how to run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

Tensors = Mapping[str, Tensor]
Run = Callable[[Tensors], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is differentiated: `run` maps the named `tensors` to an output of any shape.

    `short` has the value of `run` for a backward that lacks one term of the derivative: the natural
    mistake for this operation. Without it the planted mistake is the last row of the output, whose
    gradient is then not propagated (for a weight: the last token's contribution).
    """

    subject: str
    tensors: Tensors
    run: Run
    short: Run | None = None


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes values of one floating type from a seed, the same numbers for float32 and float64."""

    dtype: torch.dtype
    seed: int = 20_26

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Normal values; distinct for each shape."""
        source = torch.Generator().manual_seed(self.seed + sum(shape) * 31 + len(shape))
        values = torch.randn(*shape, generator=source, dtype=torch.float64) * scale
        return values.to(self.dtype)

    def values(self, *numbers: float, shape: tuple[int, ...] | None = None) -> Tensor:
        """The numbers as given, in a shape."""
        tensor = torch.tensor(numbers, dtype=torch.float64).to(self.dtype)
        return tensor.reshape(shape) if shape else tensor

    def fill(self, module: nn.Module) -> None:
        """Give every parameter of a module normal values: none vanishes by a zero or a one."""
        source = torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            for parameter in module.parameters():
                noise = torch.randn(parameter.shape, generator=source, dtype=torch.float64)
                parameter.copy_(0.3 * noise + (1.0 if parameter.ndim == 1 else 0.0))


def parameters(module: nn.Module) -> dict[str, Tensor]:
    """The parameters by name, shared ones once."""
    return {name: p.detach() for name, p in module.named_parameters()}


def called(module: nn.Module, tensors: Tensors, *args: Any, **kwargs: Any) -> Any:
    """Run the module with these tensors in the place of its parameters of the same name."""
    own = {name for name, _ in module.named_parameters()}
    return functional_call(module, {k: v for k, v in tensors.items() if k in own}, args, kwargs)


def over(subject: str, module: nn.Module, x: Tensor, *, short: Run | None = None) -> Case:
    """A module of one input, differentiated by the input and by all its parameters."""
    return Case(
        subject=subject,
        tensors={"input": x, **parameters(module)},
        run=lambda t: called(module, t, t["input"]),
        short=short,
    )
