"""What a configuration promises, held against the real modules that are made of it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from suites import reference
from suites.property.seeds import checked, found

if TYPE_CHECKING:
    from suites.property.configs import Sizes

pytestmark = [pytest.mark.tier2, pytest.mark.qual, pytest.mark.usefixtures("one_thread")]


@st.composite
def sizes(draw: st.DrawFn) -> Sizes:
    from suites.property.configs import Sizes  # noqa: PLC0415 - imports torch

    key_heads = draw(st.integers(1, 4))
    return Sizes(
        vocabulary=draw(st.integers(2, 200_000)),
        layers=draw(st.integers(1, 4)),
        heads=key_heads * draw(st.integers(1, 4)),
        key_heads=key_heads,
        width=2 * draw(st.integers(1, 64)),
        inner=draw(st.integers(1, 12_000)),
        tied=draw(st.booleans()),
    )


@checked(10)
@given(sizes())
def test_the_parameter_count_of_a_model_is_its_formula(made: Sizes) -> None:
    from suites.property import configs  # noqa: PLC0415

    assert configs.count(made) == configs.formula(made)


def test_negative_control_a_formula_without_the_norms_or_with_all_heads_is_red() -> None:
    from suites.property import configs  # noqa: PLC0415

    made = configs.Sizes()
    norms = made.hidden * (2 * made.layers + 1)
    assert configs.count(made) != configs.formula(made) - norms
    whole = configs.Sizes(key_heads=made.heads)
    assert configs.count(made) != configs.formula(whole)


@checked(60)
@given(st.integers(1, 4096), st.integers(1, 64))
def test_heads_must_divide_the_hidden_size_into_even_widths(hidden: int, heads: int) -> None:
    from suites.property import configs  # noqa: PLC0415

    width, rest = divmod(hidden, heads)
    # transformers 5.23 let odd heads of up to four dimensions through, for tiny models of tests
    assume(rest or width % 2 == 0 or width > 4)
    expected = "heads" if rest else "rotation" if width % 2 else None
    assert configs.refusal(hidden, heads) == expected


@checked(5)
@given(sizes(), st.integers(1, 4))
def test_each_layer_adds_the_same_parameters(made: Sizes, more: int) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from suites.property import configs  # noqa: PLC0415

    one = configs.count(replace(made, layers=1))
    two = configs.count(replace(made, layers=2))
    assert configs.count(replace(made, layers=1 + more)) - one == more * (two - one)


@checked(30)
@given(sizes())
def test_attention_has_the_shapes_of_its_heads(made: Sizes) -> None:
    from suites.property import configs  # noqa: PLC0415

    shapes = configs.attention_shapes(made)
    assert shapes["q_proj.weight"] == (made.heads * made.width, made.hidden)
    assert shapes["k_proj.weight"] == (made.key_heads * made.width, made.hidden)
    assert shapes["v_proj.weight"] == shapes["k_proj.weight"]
    assert shapes["o_proj.weight"] == (made.hidden, made.heads * made.width)
    counted = sum(a * b for a, b in shapes.values())
    assert counted == reference.attention_parameters(
        hidden=made.hidden, heads=made.heads, key_heads=made.key_heads, width=made.width
    )
    if made.key_heads == made.heads:
        assert counted == 4 * made.hidden**2


@checked(30)
@given(sizes())
def test_the_mlp_has_three_projections_of_its_inner_width(made: Sizes) -> None:
    from suites.property import configs  # noqa: PLC0415

    shapes = configs.mlp_shapes(made)
    assert sorted(shapes.values()) == sorted(
        [(made.inner, made.hidden)] * 2 + [(made.hidden, made.inner)]
    )
    assert sum(a * b for a, b in shapes.values()) == 3 * made.hidden * made.inner


@checked(5)
@given(sizes(), st.integers(1, 1000))
def test_a_larger_vocabulary_adds_rows_to_one_table_or_two(made: Sizes, more: int) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from suites.property import configs  # noqa: PLC0415

    larger = replace(made, vocabulary=made.vocabulary + more)
    tables = 1 if made.tied else 2
    assert configs.count(larger) - configs.count(made) == more * made.hidden * tables


@checked(5)
@given(sizes())
def test_a_wider_model_has_more_parameters(made: Sizes) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from suites.property import configs  # noqa: PLC0415

    assert configs.count(replace(made, width=made.width + 2)) > configs.count(made)


def test_a_count_beyond_32_and_64_bits_of_bytes_is_exact() -> None:
    from suites.property import configs  # noqa: PLC0415

    huge = configs.Sizes(
        vocabulary=1_000_000, layers=1, heads=64, key_heads=8, width=256, inner=2**20
    )
    assert configs.count(huge) == configs.formula(huge) > 2**36


@checked(30)
@given(st.integers(1, 128), st.floats(10.0, 1e7))
def test_rotary_frequencies_fall_from_one_as_their_formula(pairs: int, theta: float) -> None:
    from suites.property import configs  # noqa: PLC0415

    found_ = configs.frequencies(2 * pairs, theta)
    wanted = [reference.rope_frequency(i, width=2 * pairs, theta=theta) for i in range(pairs)]
    # float32: the power's exponent is rounded by 6e-8, times log(theta) up to 16
    assert found_ == pytest.approx(wanted, rel=4e-6)
    assert found_[0] == 1
    assert all(0 < b <= a for a, b in pairwise(found_))


def test_negative_control_frequencies_of_a_wrong_theta_are_found_and_shrunk() -> None:
    from suites.property import configs  # noqa: PLC0415

    seen: list[int] = []

    @checked(30)
    @given(st.integers(1, 128))
    def search(pairs: int) -> None:
        seen.append(pairs)
        last = configs.frequencies(2 * pairs, 10_000.0)[-1]
        wanted = reference.rope_frequency(pairs - 1, width=2 * pairs, theta=500_000.0)
        assert math.isclose(last, wanted, rel_tol=4e-6)

    assert found(search)
    assert seen[-1] == 2  # the smallest width at which theta matters


@pytest.mark.parametrize(
    ("name", "hidden", "heads", "inner", "layers", "expected"),
    [
        ("toy_124m", 768, 12, 3072, 12, 162_417_408),
        ("llama2_7b", 4096, 32, 11_008, 32, 6_738_415_616),
        ("llama2_13b", 5120, 40, 13_824, 40, 13_015_864_320),
    ],
)
def test_known_models_have_their_known_counts(
    name: str, hidden: int, heads: int, inner: int, layers: int, expected: int
) -> None:
    from suites.property import configs  # noqa: PLC0415

    made = configs.Sizes(
        vocabulary=32_000,
        layers=layers,
        heads=heads,
        key_heads=heads,
        width=hidden // heads,
        inner=inner,
    )
    assert made.hidden == hidden
    assert configs.count(made) == expected, name


@checked(8)
@given(st.integers(2, 300), st.sampled_from(["float32", "float16", "bfloat16", "float64"]))
def test_weights_take_the_bytes_of_their_type(vocabulary: int, kind: str) -> None:
    import torch  # noqa: PLC0415

    from suites.property import configs  # noqa: PLC0415

    made = configs.Sizes(vocabulary=vocabulary)
    dtype: torch.dtype = getattr(torch, kind)
    width = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}[kind]
    assume(configs.formula(made) > 0)
    assert configs.weight_bytes(made, dtype) == width * configs.formula(made)
