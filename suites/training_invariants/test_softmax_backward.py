"""The backward of softmax by value, in the five situations that a hand-made one gets wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from suites.reference import softmax, softmax_backward

pytestmark = [pytest.mark.tier1, pytest.mark.qual, pytest.mark.usefixtures("one_thread")]

Backward = Callable[[Sequence[float], Sequence[float]], list[float]]

SITUATIONS: dict[str, tuple[list[float], list[float]]] = {
    "two_elements": ([1.0, 2.0], [1.0, 0.0]),
    "ten_uniform": ([0.5 * i for i in range(10)], [1.0] * 10),
    "large_values": ([100.0, 101.0, 102.0, 103.0, 104.0], [1.0, 0.0, 0.0, 0.0, 0.0]),
    "zero_upstream": ([1.0, 2.0, 3.0, 4.0, 5.0], [0.0] * 5),
    "single_element": ([5.0], [1.0]),
}
INFORMATIVE = ("two_elements", "large_values")
"""Where the gradient is not zero: in the other three a backward of zeros is right."""

BOUND = 4e-15
"""Float64 eps times a dozen roundings; the values are below one."""


def autograd(x: Sequence[float], upstream: Sequence[float]) -> list[float]:
    import torch  # noqa: PLC0415 - collecting must not import torch

    leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor(upstream, dtype=torch.float64)
    out = torch.nn.functional.softmax(leaf, dim=-1)
    return [float(g) for g in torch.autograd.grad(out, leaf, wanted)[0]]


def agrees(backward: Backward, situation: str) -> bool:
    x, upstream = SITUATIONS[situation]
    pairs = zip(backward(x, upstream), softmax_backward(x, upstream), strict=True)
    return all(abs(ours - theirs) <= BOUND for ours, theirs in pairs)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_softmax_backward_has_the_value_of_its_formula(situation: str) -> None:
    assert agrees(autograd, situation)


def test_softmax_backward_by_hand_on_two_elements() -> None:
    # s = 1 / (1 + e) and 1 - s; the gradient of the first output is s (1 - s) = 0.1966...
    assert autograd([1.0, 2.0], [1.0, 0.0]) == pytest.approx(
        [0.19661193324148185, -0.19661193324148185], abs=BOUND
    )


def test_softmax_backward_of_large_values_in_float32_is_finite_and_right() -> None:
    import torch  # noqa: PLC0415

    x, upstream = SITUATIONS["large_values"]
    leaf = torch.tensor(x, requires_grad=True)
    out = torch.nn.functional.softmax(leaf, dim=-1)
    found = torch.autograd.grad(out, leaf, torch.tensor(upstream))[0]
    # float32 eps 6e-8 times three operations
    assert found.tolist() == pytest.approx(softmax_backward(x, upstream), abs=2e-7)


WRONG: dict[str, Backward] = {
    "zeros": lambda x, _: [0.0] * len(x),
    "without_the_sum": lambda x, g: [a * b for a, b in zip(softmax(x), g, strict=True)],
    "sign": lambda x, g: [-v for v in softmax_backward(x, g)],
    "one_per_cent": lambda x, g: [1.01 * v for v in softmax_backward(x, g)],
    "no_shift": lambda x, g: [float("nan") if max(x) > 88 else v for v in softmax_backward(x, g)],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_negative_control_a_wrong_softmax_backward_is_red(wrong: str) -> None:
    red = [situation for situation in SITUATIONS if not agrees(WRONG[wrong], situation)]
    expected = {"large_values"} if wrong == "no_shift" else set(INFORMATIVE)
    assert expected <= set(red)


def test_negative_control_the_sum_alone_would_have_passed_zeros() -> None:
    assert all(abs(sum(WRONG["zeros"](*SITUATIONS[s]))) < 1e-6 for s in SITUATIONS)
