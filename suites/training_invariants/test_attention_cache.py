"""The key-value cache of transformers: allocation, bytes, equivalence with a forward, leaks."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.tier2, pytest.mark.qual, pytest.mark.usefixtures("one_thread")]

BOUND = 1e-12
"""Float64 eps (2e-16) times the some hundred roundings of two layers, with an order to spare."""


@pytest.mark.parametrize("layers", [1, 6])
def test_every_layer_of_the_cache_is_allocated_and_filled(layers: int) -> None:
    from suites.models import tiny  # noqa: PLC0415
    from suites.training_invariants import caching  # noqa: PLC0415 - imports torch

    model = tiny("llama", num_hidden_layers=layers)
    pairs = list(caching.layers_of(caching.filled(model)))
    assert len(pairs) == layers
    for pair in pairs:
        for tensor in pair:
            assert tensor.shape == (2, 2, 8, 4)  # batch, key heads, tokens, head width
            assert bool(tensor.isfinite().all())
            assert float(tensor.abs().amax(dim=(0, 1, 3)).min()) > 0  # no token is empty


@pytest.mark.parametrize(("layers", "dtype"), [(1, "float32"), (6, "float32"), (6, "bfloat16")])
def test_bytes_of_the_cache_are_the_formula_and_what_torch_allocated(
    layers: int, dtype: str
) -> None:
    import torch  # noqa: PLC0415

    from suites.models import tiny  # noqa: PLC0415
    from suites.training_invariants import caching  # noqa: PLC0415

    kind: torch.dtype = getattr(torch, dtype)
    model = tiny("llama", num_hidden_layers=layers, dtype=kind)
    cache = caching.filled(model)
    expected = caching.expected_bytes(model.config, caching.IDS, kind.itemsize)
    counted = sum(t.numel() * t.element_size() for pair in caching.layers_of(cache) for t in pair)
    assert counted == expected
    assert caching.allocated(cache) == expected


def test_negative_control_bytes_of_a_cache_with_all_query_heads_differ() -> None:
    from suites.models import tiny  # noqa: PLC0415
    from suites.training_invariants import caching  # noqa: PLC0415

    grouped = tiny("llama")
    cache = caching.filled(tiny("llama", num_key_value_heads=4))
    assert caching.allocated(cache) == 2 * caching.expected_bytes(grouped.config, caching.IDS, 4)


@pytest.mark.parametrize("prefill", [1, 5, 7])
@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma"])
def test_prefill_and_decode_equal_the_full_forward(family: Any, prefill: int) -> None:
    from suites.training_invariants import caching  # noqa: PLC0415

    assert caching.decoding_distance(family, prefill=prefill) <= BOUND


@pytest.mark.parametrize("defect", ["forget_last", "swap_layers"])
def test_negative_control_a_damaged_cache_changes_the_logits(defect: str) -> None:
    from suites.training_invariants import caching  # noqa: PLC0415

    damage = getattr(caching, defect)
    assert caching.decoding_distance("llama", prefill=5, damage=damage) > 1e-4


def test_ten_caches_made_and_dropped_leave_nothing() -> None:
    from suites.training_invariants import caching  # noqa: PLC0415

    assert caching.survivors(10) == 0


def test_negative_control_a_held_cache_is_seen_as_a_leak() -> None:
    from suites.training_invariants import caching  # noqa: PLC0415

    held: list[Any] = []
    assert caching.survivors(10, keep=held) == 10 * 2 * 2  # caches, layers, keys and values
