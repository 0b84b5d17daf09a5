"""Ten constants that a changed formula or library would move: asserted on library code."""

from __future__ import annotations

from itertools import pairwise

import pytest

pytestmark = [pytest.mark.tier2, pytest.mark.regr, pytest.mark.usefixtures("one_thread")]


def counted(*, vocabulary: int, layers: int) -> int:
    from suites.property.configs import Sizes, count  # noqa: PLC0415 - imports torch

    sizes = Sizes(vocabulary=vocabulary, layers=layers, heads=4, key_heads=4, width=32, inner=512)
    return count(sizes)


def test_1_a_small_model_has_1_042_432_weights_and_896_of_its_norms() -> None:
    assert counted(vocabulary=1000, layers=3) == 1_042_432 + 7 * 128


@pytest.mark.parametrize(
    ("hidden", "heads", "width"),
    [
        (128, 1, 128),
        (128, 2, 64),
        (128, 4, 32),
        (120, 3, 40),
        (120, 5, 24),
        (768, 12, 64),
        (4096, 32, 128),
    ],
)
def test_2_the_width_of_a_head(hidden: int, heads: int, width: int) -> None:
    from transformers.models.llama import LlamaConfig  # noqa: PLC0415

    made = LlamaConfig(hidden_size=hidden, num_attention_heads=heads, num_key_value_heads=heads)
    assert made.head_dim == width
    assert width * (heads - 1) != hidden != width * (heads + 1)


def test_3_the_rotary_frequencies_of_a_head_of_128() -> None:
    from suites.property.configs import frequencies  # noqa: PLC0415

    found = frequencies(128, 10_000.0)
    assert len(found) == 64
    assert found[0] == 1
    assert found[1] == pytest.approx(0.8659643, rel=1e-6)
    assert found[32] == pytest.approx(0.01, rel=1e-6)
    assert found[63] == pytest.approx(1.1547820e-4, rel=1e-5)
    assert all(b < a for a, b in pairwise(found))


def test_4_the_bytes_of_a_million_numbers() -> None:
    import torch  # noqa: PLC0415

    kinds = (torch.float32, torch.float16, torch.bfloat16, torch.int8)
    made = [torch.empty(1_000_000, dtype=kind).untyped_storage().nbytes() for kind in kinds]
    assert made == [4_000_000, 2_000_000, 2_000_000, 1_000_000]


@pytest.mark.parametrize("hidden", [64, 128, 256, 512])
def test_5_attention_has_four_squares_of_the_hidden_size(hidden: int) -> None:
    from suites.property.configs import Sizes, attention_shapes  # noqa: PLC0415

    shapes = attention_shapes(Sizes(heads=4, key_heads=4, width=hidden // 4))
    assert sum(a * b for a, b in shapes.values()) == 4 * hidden**2


def test_6_the_mlp_has_three_matrices_of_65_536() -> None:
    from suites.property.configs import Sizes, mlp_shapes  # noqa: PLC0415

    shapes = mlp_shapes(Sizes(heads=4, width=32, inner=512))
    assert [a * b for a, b in shapes.values()] == [65_536] * 3


def test_7_layers_add_up() -> None:
    totals = [counted(vocabulary=1000, layers=layers) for layers in range(1, 6)]
    assert {b - a for a, b in pairwise(totals)} == {65_536 + 196_608 + 2 * 128}


@pytest.mark.parametrize(
    ("rank", "expected"), [(32, 33_554_432), (64, 67_108_864), (128, 134_217_728)]
)
def test_8_lora_on_the_attention_of_a_7b_model(rank: int, expected: int) -> None:
    from suites.property.adapters import trainable  # noqa: PLC0415

    assert trainable(rank, layers=2) * 16 == expected  # every layer has as many: 32 of them


def test_9_the_bytes_of_a_block_of_each_type() -> None:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType  # noqa: PLC0415

    wanted = {
        "F32": (1, 4),
        "F16": (1, 2),
        "BF16": (1, 2),
        "Q8_0": (32, 34),
        "Q5_1": (32, 24),
        "Q5_0": (32, 22),
        "Q4_1": (32, 20),
        "Q4_0": (32, 18),  # 4.5 bits a weight, not 4
        "Q4_K": (256, 144),
    }
    assert {n: GGML_QUANT_SIZES[GGMLQuantizationType[n]] for n in wanted} == wanted


@pytest.mark.parametrize("vocabulary", [100, 1000, 10_000, 100_000])
def test_10_layers_do_not_depend_on_the_vocabulary(vocabulary: int) -> None:
    one, three = (counted(vocabulary=vocabulary, layers=layers) for layers in (1, 3))
    assert three - one == 524_288 + 4 * 128
