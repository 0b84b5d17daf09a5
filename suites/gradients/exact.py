"""Arithmetic in float64 throughout: the casts to float32 inside stock layers become float64.

transformers' RMSNorm, eager softmax, rotary embedding and causal loss compute in float32 whatever
they are given. That is right for bfloat16 and makes every float64 check fail for that reason alone:
a cast's error of 6e-8 over a step of 6e-6 is an error of 1e-2. The modules' own code runs here
unchanged; only what it asks of torch is answered in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Exact(TorchFunctionMode):
    """While active, whoever asks torch for float32 gets float64; `casts` counts how often."""

    def __init__(self) -> None:
        super().__init__()
        self.casts = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call torch with every float32 among the arguments replaced."""
        if func is torch.Tensor.float:
            self.casts += 1
            return torch.Tensor.double(*args)
        if not (_narrow(args) or (kwargs and _narrow(kwargs.values()))):
            return func(*args, **(kwargs or {}))
        self.casts += 1
        given = kwargs or {}
        return func(*map(_wide, args), **{name: _wide(value) for name, value in given.items()})


def _narrow(values: Iterable[Any], float32: torch.dtype = torch.float32) -> bool:
    """Called a hundred thousand times: a loop takes a third of the time of `any`."""
    for value in values:  # noqa: SIM110 - and not `in`: tensors overload equality
        if value is float32:
            return True
    return False


def _wide(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value
