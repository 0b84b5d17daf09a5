"""Gradient cases of any causal language model: each decoder layer alone, and the whole loss.

Nothing here knows an architecture: a layer is run with the arguments that the model itself gave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pytest_modelqa.core.errors import Unavailable
from suites.gradients.case import Case, Maker, Tensors, called, parameters


def ids_of(model: nn.Module, length: int, seed: int) -> Tensor:
    """Two sequences of token ids, different from each other, shape (2, length), int64."""
    source = torch.Generator().manual_seed(seed)
    vocabulary = int(model.config.vocab_size)  # type: ignore[union-attr,arg-type]
    return torch.randint(0, vocabulary, (2, length), generator=source)


def layers_of(model: nn.Module, count: int) -> nn.ModuleList:
    """The decoder layers: the list of so many modules that holds the most parameters.

    Raises Unavailable where there is none.
    """
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == count]
    if not lists:
        raise Unavailable(
            f"{type(model).__name__} has no list of {count} layers",
            remedy="leave out `gradients:` for this model",
        )
    return max(lists, key=lambda m: sum(p.numel() for p in m.parameters()))


def layer_case(model: nn.Module, layer: nn.Module, ids: Tensor, make: Maker) -> Case:
    """A layer by its input and all its parameters."""
    args, kwargs = _arguments(model, layer, ids)
    hidden = args[0] if args else kwargs.pop("hidden_states")
    x = make.normal(*hidden.shape)

    def run(t: Tensors) -> Tensor:
        out = called(layer, t, t["input"], *args[1:], **kwargs)
        return torch.as_tensor(out[0] if isinstance(out, tuple) else out)

    return Case(subject=type(layer).__name__, tensors={"input": x, **parameters(layer)}, run=run)


def _arguments(
    model: nn.Module, layer: nn.Module, ids: Tensor
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the model calls this layer with; caches are left out."""
    seen: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def note(_: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        seen.append((args, dict(kwargs)))

    handle = layer.register_forward_pre_hook(note, with_kwargs=True)
    try:
        with torch.no_grad():
            model(input_ids=ids, use_cache=False)
    finally:
        handle.remove()
    if len(seen) != 1:
        raise Unavailable(
            f"{type(layer).__name__} was called {len(seen)} times in one forward pass",
            remedy="leave out `gradients:` for this model",
        )
    return seen[0]


def loss_case(model: nn.Module, ids: Tensor) -> Case:
    """The causal loss of the whole model by every parameter; tied ones count once."""

    def run(t: Tensors) -> Tensor:
        return torch.as_tensor(called(model, t, input_ids=ids, labels=ids, use_cache=False).loss)

    return Case(subject=type(model).__name__, tensors=parameters(model), run=run)
