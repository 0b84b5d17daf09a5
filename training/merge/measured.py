"""What a merge is measured by, module by module and logit by logit: plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

from training.distances import Distances


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDelta:
    """How a module's weights changed, against what base, adapter and alpha say it should.

    `wanted` is scale * B A, `expected` the change that is left of it after rounding base + wanted
    to the merged type. Norms are Frobenius. `coefficient` is <found, expected> / <expected,
    expected>: 0 for a merge that did nothing, 1 for one, 2 for two. `off` is the part of elements
    that are more than a unit in the last place from base + wanted. `singular` are the largest
    singular values of the change, `floor` what rounding alone may give one.
    """

    module: str
    r: int
    found_norm: float
    wanted_norm: float
    expected_norm: float
    coefficient: float
    off: float
    singular: tuple[float, ...]
    floor: float

    @property
    def rank(self) -> int:
        """Singular values of the change that rounding does not explain; NaN is not explained."""
        return sum(not value <= self.floor for value in self.singular)

    @property
    def kept(self) -> float:
        """How much of the wanted change the merged type can hold."""
        return self.expected_norm / self.wanted_norm if self.wanted_norm else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """How far the base and the merged model are from the adapted one."""

    of_base: Distances
    of_merged: Distances


@dataclass(frozen=True, slots=True, kw_only=True)
class Untouched:
    """Tensors that the adapter has no part in, and which of them are not the base's, bit by bit."""

    tensors: int
    differing: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
