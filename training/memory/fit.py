"""The approach that fits a budget, and loses least: a ladder that goes down one rung at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pytest_modelqa.core.errors import UsageError
from training.memory.approach import Approach, Kind
from training.memory.architecture import Architecture
from training.memory.plan import MemoryPlan, make_plan
from training.memory.sizes import at_least_one, shown

_KINDS: tuple[Kind, ...] = ("full", "lora", "qlora")
_UNITS = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_BUDGET = re.compile(r"(\d{1,15})(?:\.(\d{1,9}))? ?([kmgt]?i?b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A plan whose total is at most the budget, and what was given up for it, in order."""

    budget_bytes: int
    plan: MemoryPlan
    given_up: tuple[str, ...]


def fit(model: Architecture, wanted: Approach, budget_bytes: int) -> Fit:
    """The first rung that fits, with the largest batch that fits on it, up to the wanted one.

    The rungs: what is wanted; LoRA; QLoRA; QLoRA with checkpointing. What is wanted already is not
    taken away again. The whole total has to fit, so that accumulated gradients do too. The length
    of the sequences stays: it is a matter of the data.

    Raises:
        UsageError: the budget is not a positive whole number, or nothing fits; it says what would.
    """
    at_least_one("budget", budget_bytes)
    for rung in _ladder(wanted):
        batch = _largest_batch(model, rung, budget_bytes)
        if batch:
            plan = make_plan(model, replace(rung, batch=batch))
            return Fit(
                budget_bytes=budget_bytes, plan=plan, given_up=_given_up(wanted, plan.approach)
            )
    least = make_plan(model, replace(_ladder(wanted)[-1], batch=1)).total_bytes
    raise UsageError(
        f"nothing fits into {budget_bytes:,} bytes: qlora with checkpointing, one sequence of "
        f"{wanted.tokens} tokens and rank {wanted.rank} takes {least:,}",
        remedy="fewer --tokens, a lower --rank, or a smaller model",
    )


def _ladder(wanted: Approach) -> list[Approach]:
    """The rungs, best first."""
    kinds = _KINDS[_KINDS.index(wanted.kind) :]
    rungs = [replace(wanted, kind=kind) for kind in kinds]
    last = replace(wanted, kind="qlora", checkpointing=True)
    return rungs if rungs[-1] == last else [*rungs, last]


def _largest_batch(model: Architecture, rung: Approach, budget_bytes: int) -> int:
    """The largest batch up to the rung's whose total fits; 0 where not even one sequence does.

    The total grows with the batch, so halving the interval finds it.
    """
    low, high = 0, rung.batch
    while low < high:
        middle = (low + high + 1) // 2
        fits = make_plan(model, replace(rung, batch=middle)).total_bytes <= budget_bytes
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _given_up(wanted: Approach, found: Approach) -> tuple[str, ...]:
    said = []
    if found.batch != wanted.batch:
        said.append(f"batch {wanted.batch} -> {found.batch}")
    if found.kind != wanted.kind:
        said.append(f"{wanted.kind} -> {found.kind}")
    if found.checkpointing != wanted.checkpointing:
        said.append("checkpointing")
    return tuple(said)


def budget(text: str) -> int:
    """Bytes of a text such as 24GB, 24 GiB, 1.5TB or 512mib; a part of a byte is dropped.

    Raises:
        UsageError: it is no such text, or less than a byte.
    """
    parts = _BUDGET.fullmatch(text.strip())
    if parts is None or parts[3].lower() not in _UNITS:
        raise UsageError(
            f"{shown(text)} is no amount of memory", remedy="a number and a unit: 24GB or 22.5GiB"
        )
    fraction = parts[2] or ""
    whole = int(parts[1] + fraction) * _UNITS[parts[3].lower()] // 10 ** len(fraction)
    return at_least_one("budget", whole)
