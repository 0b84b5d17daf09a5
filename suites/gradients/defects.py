"""Wrong backwards around a right forward: what a gradient check exists to find."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from suites.gradients.case import Case, Run, Tensors


class Defect(StrEnum):
    """The four mistakes that every check must see."""

    ZERO = "zero"
    SIGN = "sign"
    SCALE = "scale"
    DROPPED = "dropped_term"


FACTOR = {Defect.ZERO: 0.0, Defect.SIGN: -1.0, Defect.SCALE: 1.01}
"""What a wrong backward multiplies its gradient by; the scale is wrong by one per cent."""


class _Faulty(torch.autograd.Function):
    """The real computation forward; backward the real one, then damaged."""

    @staticmethod
    def forward(ctx: Any, run: Run, damage: Damage, names: list[str], *given: Tensor) -> Tensor:
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in given]
            output = run(dict(zip(names, leaves, strict=True)))
        ctx.output, ctx.leaves, ctx.names, ctx.damage = output, leaves, names, damage
        return output.detach()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients = torch.autograd.grad(ctx.output, ctx.leaves, upstream, allow_unused=True)
        damaged = [
            None if gradient is None else ctx.damage(name, gradient)
            for name, gradient in zip(ctx.names, gradients, strict=True)
        ]
        return None, None, None, *damaged


Damage = Callable[[str, Tensor], Tensor]


def damaged(case: Case, defect: Defect, only: str | None = None) -> Case:
    """The case with a wrong backward, of all its tensors or of one."""

    def damage(name: str, gradient: Tensor) -> Tensor:
        return gradient * FACTOR[defect] if only in {None, name} else gradient

    names = list(case.tensors)

    def run(tensors: Tensors) -> Tensor:
        if defect is Defect.DROPPED:
            return _valued(case.run(tensors), (case.short or _short_row(case.run))(tensors))
        out: Tensor = _Faulty.apply(case.run, damage, names, *(tensors[name] for name in names))
        return out

    return Case(subject=case.subject, tensors=case.tensors, run=run)


def _valued(whole: Tensor, short: Tensor) -> Tensor:
    """The value of one with the backward of the other."""
    return whole.detach() + (short - short.detach())


def _short_row(run: Run) -> Run:
    """A backward that forgets the last row of the output."""

    def short(tensors: Tensors) -> Tensor:
        output = run(tensors)
        rows = output.reshape(-1, output.shape[-1])
        kept = torch.cat((rows[:-1], rows[-1:].detach()))
        return kept.reshape(output.shape)

    return short
