"""The two claims that are made for LoRA and QLoRA, with the figures that decide where they hold.

"LoRA reduces trainable parameters by more than 99 %" and "QLoRA saves more than 70 % of memory"
are the claims of the systems that this project grew from. Neither is true everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from training.memory.approach import ALL_PROJECTIONS, ATTENTION, Approach
from training.memory.architecture import Architecture
from training.memory.plan import MemoryPlan, make_plan

REDUCTION = Fraction(99, 100)
"""The part of the parameters that LoRA leaves alone has to be larger than this."""

SAVING = Fraction(70, 100)
"""The part of the memory that QLoRA saves has to be larger than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What holds for a model and a kind of adapter; every share is exact.

    `reduction` is the share of all parameters (adapters included) that LoRA does not train.
    `saved_of_full` and `saved_of_lora` compare QLoRA's total of a whole step with the others';
    `saved_of_base` compares what the base's weights take alone, scales included.
    """

    rank: int
    targets: str
    trainable: int
    reduction: Fraction
    saved_of_full: Fraction
    saved_of_lora: Fraction
    saved_of_base: Fraction

    @property
    def reduces(self) -> bool:
        """LoRA leaves more than 99 % of the parameters alone."""
        return self.reduction > REDUCTION

    @property
    def saves_of_full(self) -> bool:
        """QLoRA takes less than 30 % of what training all weights takes."""
        return self.saved_of_full > SAVING

    @property
    def saves_of_lora(self) -> bool:
        """QLoRA takes less than 30 % of what LoRA takes."""
        return self.saved_of_lora > SAVING


def claims(model: Architecture, approach: Approach) -> Claims:
    """The claims for a model, with the adapters, types, batch and tokens of the approach."""
    full, lora, qlora = (
        make_plan(model, replace(approach, kind=kind)) for kind in ("full", "lora", "qlora")
    )
    return Claims(
        rank=approach.rank,
        targets=_named(approach.targets),
        trainable=lora.trainable_parameters,
        reduction=1 - Fraction(lora.trainable_parameters, lora.parameters),
        saved_of_full=_saved(qlora.total_bytes, full.total_bytes),
        saved_of_lora=_saved(qlora.total_bytes, lora.total_bytes),
        saved_of_base=_saved(_base(qlora), _base(lora)),
    )


def _base(plan: MemoryPlan) -> int:
    return plan.weight_bytes + plan.scale_bytes


def _saved(small: int, large: int) -> Fraction:
    return 1 - Fraction(small, large)


def _named(targets: tuple[str, ...]) -> str:
    known = {frozenset(ATTENTION): "attention", frozenset(ALL_PROJECTIONS): "all"}
    return known.get(frozenset(targets), "+".join(targets))
