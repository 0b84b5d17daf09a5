"""How a model is trained: what is trained, in which types, and on how much at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from pytest_modelqa.core.errors import UsageError
from training.memory.sizes import at_least_one, shown

Kind = Literal["full", "lora", "qlora"]
Type = Literal["float32", "bfloat16"]
Optimizer = Literal["adamw", "momentum", "sgd"]

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
ALL_PROJECTIONS = (*ATTENTION, "gate_proj", "up_proj", "down_proj")

_HELP = "modelqa memory --help"

FLOAT = 4
"""Bytes of a float32: adapters, statistics of norms, losses."""

WIDTH: dict[Type, int] = {"float32": FLOAT, "bfloat16": 2}
"""Bytes of a number."""

MOMENTS: dict[Optimizer, int] = {"adamw": 2, "momentum": 1, "sgd": 0}
"""Numbers that torch's optimizers keep for a trained one, in its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """How a model is trained.

    `weights` is the type of the base model and of what flows through it; under qlora it is the type
    of what is not quantised, float32 where peft's `prepare_model_for_kbit_training` was called.
    Adapters are float32, as peft makes them; `rank`, `targets` and `dropout` are theirs. Under
    qlora the projections are NF4 in blocks of 64, with their scales quantised again where
    `double_quantisation`. A step takes `batch` sequences of so many `tokens`; `checkpointing`
    keeps the input of a layer instead of what is inside it.

    Raises:
        UsageError: a value is not one of those allowed.
    """

    kind: Kind = "full"
    rank: int = 16
    targets: tuple[str, ...] = ALL_PROJECTIONS
    dropout: float = 0.0
    weights: Type = "float32"
    double_quantisation: bool = True
    optimizer: Optimizer = "adamw"
    batch: int = 1
    tokens: int = 512
    checkpointing: bool = False

    def __post_init__(self) -> None:
        _one_of("approach", self.kind, get_args(Kind))
        _one_of("weights", self.weights, get_args(Type))
        _one_of("optimizer", self.optimizer, get_args(Optimizer))
        for name in ("rank", "batch", "tokens"):
            at_least_one(name, getattr(self, name))
        for name in ("double_quantisation", "checkpointing"):
            _one_of(name, getattr(self, name), (True, False))
        self._check_targets()
        rate = self.dropout
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise UsageError(f"dropout is {shown(rate)}, not from 0 to less than 1", remedy=_HELP)

    def _check_targets(self) -> None:
        if not isinstance(self.targets, tuple) or not self.targets:
            raise UsageError(
                f"targets is {shown(self.targets)}: name at least one projection", remedy=_HELP
            )
        for target in self.targets:
            _one_of("targets", target, ALL_PROJECTIONS)
        if len(set(self.targets)) < len(self.targets):
            raise UsageError(
                f"targets names a projection twice: {', '.join(self.targets)}", remedy=_HELP
            )

    @property
    def width(self) -> int:
        """Bytes of a number of the base that is not quantised, and of what flows through it."""
        return WIDTH[self.weights]

    @property
    def positions(self) -> int:
        """The tokens of one step."""
        return self.batch * self.tokens

    def trains(self, projection: str) -> bool:
        """Whether this projection has something that is trained: its weight or its adapter."""
        return self.kind == "full" or projection in self.targets


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if type(value) not in {type(known) for known in allowed} or value not in allowed:
        known = ", ".join(map(str, allowed))
        raise UsageError(f"{name} is {shown(value)}; known: {known}", remedy=_HELP)
