"""A key-value cache of a real model: what it holds and weighs, whether it changes an answer."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from suites.gradients.exact import Exact
from suites.models import Family, tiny
from suites.reference import cache_bytes

IDS = torch.tensor([[3, 7, 1, 9, 4, 2, 8, 11], [5, 5, 6, 1, 12, 23, 0, 2]])


def layers_of(cache: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Keys and values, layer by layer."""
    for layer in cache.layers:
        yield layer.keys, layer.values


def filled(model: Any, ids: Tensor = IDS) -> Any:
    """The cache after a prefill."""
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=ids, past_key_values=cache, use_cache=True)
    return cache


def allocated(cache: Any) -> int:
    """The bytes of the storages that torch holds for the cache, each storage once."""
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for pair in layers_of(cache)
        for tensor in pair
    }
    return sum(storages.values())


def expected_bytes(config: Any, ids: Tensor, itemsize: int) -> int:
    """The formula, for a configuration."""
    return cache_bytes(
        layers=config.num_hidden_layers,
        key_heads=config.num_key_value_heads,
        width=config.head_dim,
        tokens=ids.shape[1],
        batch=ids.shape[0],
        itemsize=itemsize,
    )


def no_damage(_cache: Any) -> None:
    """Leave the cache as it is."""


def forget_last(cache: Any) -> None:
    """A planted defect: the last token's keys are lost, its place filled with the token before."""
    for keys, _ in layers_of(cache):
        keys[:, :, -1] = keys[:, :, -2]


def swap_layers(cache: Any) -> None:
    """A planted defect: two layers exchange their values."""
    first, second = cache.layers[0], cache.layers[1]
    first.values, second.values = second.values, first.values


def decoding_distance(
    family: Family, *, prefill: int, damage: Callable[[Any], None] = no_damage
) -> float:
    """Largest relative difference of logits between one forward and a prefill with steps."""
    model = tiny(family, dtype=torch.float64)
    with Exact(), torch.no_grad():
        whole = model(input_ids=IDS, use_cache=False).logits
        cache = DynamicCache(config=model.config)
        pieces = [model(input_ids=IDS[:, :prefill], past_key_values=cache).logits]
        damage(cache)
        pieces += [
            model(input_ids=token[:, None], past_key_values=cache).logits
            for token in IDS[:, prefill:].unbind(1)
        ]
    stepped = torch.cat(pieces, 1)
    return float((stepped - whole).abs().max() / whole.abs().max())


def survivors(cycles: int, keep: list[Any] | None = None) -> int:
    """Cache tensors alive after so many caches were made and dropped; `keep` plants a leak."""
    model = tiny("llama")
    alive: list[weakref.ref[Tensor]] = []
    for _ in range(cycles):
        cache = filled(model)
        alive += [weakref.ref(tensor) for pair in layers_of(cache) for tensor in pair]
        if keep is not None:
            keep.append(cache)
        del cache
    if any(reference() is not None for reference in alive):
        gc.collect()  # cycles are no leak; most runs have none, and a collection is slow
    return sum(reference() is not None for reference in alive)
