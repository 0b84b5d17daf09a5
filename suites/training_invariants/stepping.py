"""Forward and backward of a real tiny model, looked at from outside."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import torch
from torch import Tensor, nn

from suites.models import Family, tiny

IDS = torch.tensor([[3, 7, 1, 9, 4, 2, 8, 11], [5, 5, 6, 1, 12, 23, 0, 2]])


def training(family: Family = "llama", **sizes: Any) -> Any:
    """A tiny model in training mode."""
    model = tiny(family, **sizes)
    model.train()
    return model


def forward(model: Any, ids: Tensor = IDS, **flags: Any) -> Any:
    """One forward with labels."""
    return model(input_ids=ids, labels=ids, use_cache=False, **flags)


def gradients(model: Any, ids: Tensor = IDS) -> dict[str, Tensor | None]:
    """The gradients of one forward and backward, by parameter."""
    model.zero_grad(set_to_none=True)
    forward(model, ids).loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def faults(found: dict[str, Tensor | None]) -> list[str]:
    """Parameters without a gradient, with one that is not finite, or with one of zeros."""
    said = []
    for name, gradient in found.items():
        if gradient is None:
            said.append(f"{name}: none")
        elif not bool(gradient.isfinite().all()):
            said.append(f"{name}: not finite")
        elif float(gradient.abs().max()) == 0:
            said.append(f"{name}: zeros")
    return said


def survivors(cycles: int, keep: list[Any] | None = None) -> int:
    """Tensors alive after so many models were made, trained a step and dropped.

    Watched are parameters, gradients, losses and the output of every module. `keep` plants a leak.
    """
    watched: list[weakref.ref[Tensor]] = []

    def watch(_module: nn.Module, _given: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            watched.append(weakref.ref(output))

    for _ in range(cycles):
        model = training()
        for module in model.modules():
            module.register_forward_hook(watch)
        loss = forward(model).loss
        loss.backward()
        tensors = [loss, *model.parameters(), *(p.grad for p in model.parameters())]
        watched += [weakref.ref(tensor) for tensor in tensors]
        if keep is not None:
            keep.append(loss)
        del model, module, loss, tensors
    if any(reference() is not None for reference in watched):
        gc.collect()  # cycles are no leak; most runs have none, and a collection is slow
    return sum(reference() is not None for reference in watched)
