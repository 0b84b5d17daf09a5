"""The figures of docs/memory.md, in Markdown: of all known models, with the defaults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from training.memory.approach import ALL_PROJECTIONS, ATTENTION, Approach, Kind
from training.memory.chart import size
from training.memory.claims import REDUCTION, SAVING, Claims, claims
from training.memory.models import MODELS
from training.memory.plan import make_plan

_KINDS: tuple[Kind, ...] = ("full", "lora", "qlora")
_ADAPTERS = ((16, ATTENTION), (64, ATTENTION), (16, ALL_PROJECTIONS), (64, ALL_PROJECTIONS))


def page() -> str:
    """All tables, for one sequence of 512 tokens, float32 and AdamW."""
    plain = Approach()
    said = (
        f"Batch {plain.batch}, {plain.tokens} tokens, {plain.weights}, {plain.optimizer}, "
        f"rank {plain.rank} on all projections. MB are 10^6 bytes."
    )
    return "\n\n".join((said, _plans(plain), _claims(plain))) + "\n"


def _plans(plain: Approach) -> str:
    rows = []
    for name, model in MODELS.items():
        for kind in _KINDS:
            plan = make_plan(model, replace(plain, kind=kind))
            rows.append(
                (
                    name,
                    kind,
                    f"{plan.parameters:,}",
                    f"{100 * plan.trainable_share:.2f} %",
                    *(size(count) for count in plan.parts.values()),
                    size(plan.total_bytes),
                    size(plan.peak_bytes),
                )
            )
    parts = make_plan(next(iter(MODELS.values())), plain).parts
    return _table(("model", "approach", "parameters", "trained", *parts, "total", "peak"), rows)


def _claims(plain: Approach) -> str:
    rows = []
    for name, model in MODELS.items():
        for rank, targets in _ADAPTERS:
            found = claims(model, replace(plain, rank=rank, targets=targets))
            rows.append((name, *_cells(found)))
    head = (
        "model", "rank", "targets", "trained", "LoRA leaves alone", "of full", "of LoRA", "of base",
    )  # fmt: skip
    return _table(head, rows)


def _cells(found: Claims) -> tuple[str, ...]:
    return (
        str(found.rank),
        found.targets,
        f"{found.trainable:,}",
        _judged(found.reduction, REDUCTION, 3),
        _judged(found.saved_of_full, SAVING),
        _judged(found.saved_of_lora, SAVING),
        _judged(found.saved_of_base, SAVING),
    )


def _judged(share: Fraction, bound: Fraction, digits: int = 1) -> str:
    """A share, and in bold where it does not exceed the bound; cut, never rounded up to it."""
    cut = int(share * 100 * 10**digits) / 10**digits
    text = f"{cut:.{digits}f} %"
    return text if share > bound else f"**{text}**"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
