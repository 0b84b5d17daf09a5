"""The target `tensor_ops`: torch's float32 operations by value, against float64 and IEEE 754.

Inputs are the seed's grid, normals, the values at which floats turn over, and any bits at all. A
sum or product of two float32, computed in float64 and rounded, is the one that IEEE asks for
(53 >= 2 * 24 + 2: Figueroa 1995, "When is double rounding innocuous?"), so they are compared bit by
bit. Activations have a bound from their own formula; a chain is compared through torch's own
intermediate, again bit by bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf
from torch.nn import functional

from suites.fuzz.numeric import Batch, Numeric, Tally

Single = NDArray[np.float32]
Double = NDArray[np.float64]

MOST = 64
"""A tensor has 1 to 64 numbers, as in the seed."""
_UNIT = 2.0**-24
"""Half a unit in the last place of 1: what one float32 rounding may move."""
_SPECIALS = np.array(
    [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 3.4028235e38, -3.4028235e38,
     1.17549435e-38, -1.17549435e-38, 1e-45, -1e-45, 88.72, -88.72, 88.73, -88.73, 103.98, -103.98,
     17.0, -17.0,
     16777216.0, 16777217.0, -5.6, 1e19, -1e19, 1e-20, -1000.0, -100.0, -10.0, 10.0, 100.0, 1000.0],
    dtype=np.float32,
)  # fmt: skip
OPERATIONS = ("add", "multiply", "relu", "gelu", "silu", "relu_add", "gelu_multiply",
              "silu_add_multiply")  # fmt: skip
_EDGE_SHARE = 0.15
_GRADIENTS_EVERY = 4
_GRADIENT_WITHIN = 100.0


def draw(source: np.random.Generator, count: int) -> Batch:
    """Rows of two tensors of one size, and one operation for all of them."""
    size = int(source.integers(1, MOST + 1))
    settings = {
        "operation": str(source.choice(OPERATIONS)),
        "strided": bool(source.integers(2)),
        "gradient": not source.integers(_GRADIENTS_EVERY),
    }
    columns = {name: _values(source, (count, size)) for name in ("a", "b")}
    return Batch(settings=settings, columns=columns)


def _values(source: np.random.Generator, shape: tuple[int, int]) -> Single:
    kind = source.integers(3)
    if kind == 0:  # the seed's grid: a byte between -10 and 10
        made = (source.integers(0, 256, shape) / 255 * 20 - 10).astype(np.float32)
    elif kind == 1:
        made = source.standard_normal(shape, dtype=np.float32) * np.float32(3)
    else:  # any float32 there is, NaNs of every kind among them
        return source.integers(0, 1 << 32, shape, dtype=np.uint32).view(np.float32)
    edges = source.random(shape, dtype=np.float32) < _EDGE_SHARE
    made[edges] = _SPECIALS[source.integers(0, len(_SPECIALS), int(edges.sum()))]
    return made


def check(batch: Batch, tally: Tally) -> None:
    """Run the operation of the batch and compare every number."""
    operation = batch.settings["operation"]
    a, b = batch.columns["a"], batch.columns["b"]
    tally.notes[operation] += len(batch)
    one, two = (_tensor(x, strided=batch.settings["strided"]) for x in (a, b))
    with np.errstate(all="ignore"):
        _CHAINS[operation](_Run(batch, tally, one, two))
        if batch.settings["gradient"]:
            _gradients(batch, tally, one)
        _identities(batch, tally, one)


def _tensor(values: Single, *, strided: bool) -> torch.Tensor:
    """Contiguous, or rows of a wider tensor: each row then ends in the loop for what is left."""
    if not strided:
        return torch.from_numpy(values)
    wide = torch.empty(values.shape[0], values.shape[1] + 3)
    wide[:, : values.shape[1]] = torch.from_numpy(values)
    return wide[:, : values.shape[1]]


class _Run:
    """Torch's operations, each compared with its reference as it runs."""

    def __init__(self, batch: Batch, tally: Tally, a: torch.Tensor, b: torch.Tensor) -> None:
        self.batch, self.tally = batch, tally
        self.a, self.b = a, b

    def add(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """A sum, bit by bit."""
        return self._exact("add", x + y, _double(x) + _double(y))

    def multiply(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """A product, bit by bit."""
        return self._exact("multiply", x * y, _double(x) * _double(y))

    def relu(self, x: torch.Tensor) -> torch.Tensor:
        """The larger of x and 0; NaN stays NaN."""
        found, at = functional.relu(x), _double(x)
        expected = np.where(np.isnan(at), at, np.maximum(at, 0.0))
        self._close("relu", found, expected, np.zeros_like(at))
        return found

    def gelu(self, x: torch.Tensor) -> torch.Tensor:
        """Half of x times (1 + erf(x / sqrt 2)): Hendrycks and Gimpel 2016, equation 1.

        The bound, in units of 2**-24 * |x|: torch's vectorised erf is formula 7.1.26 of Abramowitz
        and Stegun, off by 1.5e-7 (2.6 units) and a few roundings (4); its argument and the sum move
        1 + erf by 3 more, of which half counts; two products by 2. Together less than 8.
        """
        found, at = functional.gelu(x), _double(x)
        expected = 0.5 * at * (1.0 + erf(at / math.sqrt(2.0)))
        self._close("gelu", found, expected, 8 * _UNIT * np.abs(at) + _LEAST)
        return found

    def silu(self, x: torch.Tensor) -> torch.Tensor:
        """X / (1 + exp(-x)): Elfwing et al. 2017.

        The bound: eight roundings of the result; and where exp(-x) leaves float32, beyond 2**128,
        the result is 0 instead of at most |x| * 2**-127.
        """
        found, at = functional.silu(x), _double(x)
        expected = at / (1.0 + np.exp(-at))
        bound = 8 * _UNIT * np.abs(expected) + np.abs(at) * 2.0**-127 + _LEAST
        self._close("silu", found, expected, bound)
        return found

    def _exact(self, name: str, found: torch.Tensor, exact: Double) -> torch.Tensor:
        """Equal in every bit to the exact value rounded once; NaN where IEEE says so."""
        got, expected = found.numpy(), exact.astype(np.float32)
        same = np.ascontiguousarray(got).view(np.uint32) == expected.view(np.uint32)
        holds = same | (np.isnan(got) & np.isnan(expected))
        self._rows(f"{name}_is_exact", holds, got, expected)
        return found

    def _close(self, name: str, found: torch.Tensor, expected: Double, bound: Double) -> None:
        """Within the bound where finite; else the same infinity, or NaN in the same places."""
        got = found.numpy().astype(np.float64)
        rounded = expected.astype(np.float32).astype(np.float64)
        finite = np.isfinite(rounded)
        near = np.abs(got - expected) <= bound
        special = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        plain = np.isfinite(found.numpy())
        over = ~plain & finite & (np.abs(expected) + bound >= _LARGEST)
        self._rows(f"{name}_by_value", np.where(finite, near | over, True), got, expected)
        self._rows(f"{name}_propagates", np.where(finite, True, special), got, expected)

    def _rows(self, name: str, holds: NDArray[np.bool_], got: Any, expected: Any) -> None:
        def told(row: int) -> str:
            at = int(np.flatnonzero(~holds[row])[0])
            a, b = self.a[row, at].item(), self.b[row, at].item()
            return f"a={a!r} b={b!r}: {got[row, at]!r}, not {expected[row, at]!r}"

        self.tally.must(name, self.batch, holds.all(axis=1), told)


_LEAST = 2.0**-148
_LARGEST = float(np.finfo(np.float32).max)


def _double(x: torch.Tensor) -> Double:
    return x.numpy().astype(np.float64)


_CHAINS: dict[str, Callable[[_Run], object]] = {
    "add": lambda run: run.add(run.a, run.b),
    "multiply": lambda run: run.multiply(run.a, run.b),
    "relu": lambda run: run.relu(run.a),
    "gelu": lambda run: run.gelu(run.a),
    "silu": lambda run: run.silu(run.a),
    "relu_add": lambda run: run.add(run.relu(run.a), run.b),
    "gelu_multiply": lambda run: run.multiply(run.gelu(run.a), run.b),
    "silu_add_multiply": lambda run: run.multiply(run.add(run.silu(run.a), run.b), run.b),
}


def _gradients(batch: Batch, tally: Tally, x: torch.Tensor) -> None:
    """The derivatives of the activations, within 100 of zero: what a zero backward would lose."""
    at = _double(x)
    inside = np.abs(at) < _GRADIENT_WITHIN
    bound = 16 * _UNIT * (1 + np.abs(at))
    for name, slope in _SLOPES.items():
        leaf = x.detach().clone().requires_grad_(True)
        (found,) = torch.autograd.grad(getattr(functional, name)(leaf).sum(), leaf)
        expected = slope(at)
        near = np.abs(found.numpy() - expected) <= bound
        holds = np.where(inside, near, True).all(axis=1)
        tally.must(
            f"{name}_slope_by_value",
            batch,
            holds,
            lambda r: f"row {batch.case(r)['columns']['a']}"[:200],
        )


def _gelu_slope(x: Double) -> Double:
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return np.asarray(0.5 * (1 + erf(x / math.sqrt(2))) + x * density)


def _silu_slope(x: Double) -> Double:
    s = 1 / (1 + np.exp(-x))
    return np.asarray(s * (1 + x * (1 - s)))


def _relu_slope(x: Double) -> Double:
    return np.asarray((x > 0).astype(np.float64))


_SLOPES: dict[str, Callable[[Double], Double]] = {
    "relu": _relu_slope,
    "gelu": _gelu_slope,
    "silu": _silu_slope,
}


def _identities(batch: Batch, tally: Tally, x: torch.Tensor) -> None:
    """Zeros and ones have the size that was asked for, and change nothing."""
    size = x.shape[1]
    zeros, ones = torch.zeros(size), torch.ones(size)
    sized = zeros.numel() == size == ones.numel()
    sized = sized and not zeros.any().item() and bool((ones == 1).all().item())
    tally.must("zeros_and_ones", batch, np.full(len(batch), sized), lambda _: f"size {size}")
    for name, found in (("plus_zero", x + zeros), ("times_one", x * ones)):
        got, given = found.numpy(), x.numpy()
        same = ((got == given) | (np.isnan(got) & np.isnan(given))).all(axis=1)
        tally.must(name, batch, same, lambda r: f"row {r}")


TARGET = Numeric(name="tensor_ops", draw=draw, check=check)
