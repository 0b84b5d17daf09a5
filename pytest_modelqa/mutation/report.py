"""The table of a mutation run, its totals, and both as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from pytest_modelqa.artifacts.defects.defect import DefectClass
from pytest_modelqa.mutation.outcome import Outcome

_REASON_WIDTH = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`k` of `n`; nothing of nothing is no rate."""

    k: int
    n: int

    @property
    def text(self) -> str:
        """`31/32 (96.9 %)`."""
        return f"{self.k}/{self.n} ({100 * self.k / self.n:.1f} %)" if self.n else "none tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Rates over the defects that have an effect; places over those that have one."""

    detected: Share
    integrity: Share
    class_right: Share
    cause_right: Share
    place_right: Share
    false_alarms: Share
    undetected: tuple[Outcome, ...]
    without_effect: tuple[Outcome, ...]
    undecided: tuple[Outcome, ...]
    inapplicable: tuple[Outcome, ...]
    median_seconds: float
    seconds: float


def totals(outcomes: Sequence[Outcome]) -> Totals:
    """Count."""
    defects = [o for o in outcomes if not o.healthy and o.counts]
    found = [o for o in defects if o.detected]
    placed = [o for o in found if o.place.startswith(("blk.", "token_embd", "output"))]
    healthy = [o for o in outcomes if o.healthy and o.state == "judged"]
    integrity = [o for o in defects if o.category == DefectClass.INTEGRITY]
    judged = [o for o in outcomes if o.state == "judged"]
    seconds = [o.seconds for o in judged]
    return Totals(
        detected=_share(defects, lambda o: o.detected),
        integrity=_share(integrity, lambda o: o.detected),
        class_right=_share(found, lambda o: o.class_right),
        cause_right=_share(found, lambda o: o.cause_right),
        place_right=_share(placed, lambda o: o.place_right),
        false_alarms=_share(healthy, lambda o: o.detected),
        undetected=tuple(o for o in defects if not o.detected),
        without_effect=tuple(
            o for o in outcomes if o.state == "judged" and not o.healthy and not o.counts
        ),
        undecided=tuple(o for o in judged if o.undecided and not o.detected),
        inapplicable=tuple(o for o in outcomes if o.state == "inapplicable"),
        median_seconds=median(seconds) if seconds and all(seconds) else 0.0,
        seconds=sum(o.seconds for o in judged),
    )


def _share(outcomes: Sequence[Outcome], holds: Any) -> Share:
    return Share(k=sum(1 for o in outcomes if holds(o)), n=len(outcomes))


def row(outcome: Outcome) -> tuple[str, str, str, str, str, str]:
    """Class, name, what became of it, the cause and place that were named, seconds."""
    return (
        outcome.category,
        outcome.name,
        verdict(outcome),
        _named(outcome),
        ", ".join(outcome.checks[:3]) + (" ..." if len(outcome.checks) > 3 else ""),  # noqa: PLR2004
        f"{outcome.seconds:.1f}" if outcome.state == "judged" else "",
    )


HEADINGS = ("class", "defect", "result", "named", "found by", "s")


def verdict(outcome: Outcome) -> str:
    """One word or two."""
    if outcome.state == "inapplicable":
        return "not applicable"
    if outcome.healthy:
        return "FALSE ALARM" if outcome.detected else "green"
    if outcome.detected:
        return "detected" if outcome.counts else "detected, no effect"
    return "UNDETECTED" if outcome.counts else "no effect"


def _named(outcome: Outcome) -> str:
    if not outcome.cause:
        return ""
    right = "" if outcome.cause_right else " (near)" if outcome.class_right else " (wrong)"
    at = f" at {outcome.named_place}" if outcome.named_place else ""
    wrong = " (elsewhere)" if outcome.place and at and not outcome.place_right else ""
    return f"{outcome.cause}{right}{at}{wrong}"


def summary(found: Totals) -> list[str]:
    """The rates, and every defect that should have been found with what would have found it."""
    lines = [
        f"detected            {found.detected.text} of the defects that have an effect",
        f"  of integrity      {found.integrity.text}",
        f"class named right   {found.class_right.text} of those detected",
        f"cause named right   {found.cause_right.text} of those detected",
        f"place named right   {found.place_right.text} of those at a tensor or layer",
        f"false alarms        {found.false_alarms.text} of the healthy variants",
        f"cost                median {found.median_seconds:.1f} s, {found.seconds:.0f} s in all",
    ]
    lines += [f"undetected: {o.name}: {o.what} The check for it: {o.caught_by}; {o.effect}"
              for o in found.undetected]  # fmt: skip
    lines += [f"without effect: {o.name}: {o.what}" for o in found.without_effect]
    lines += [f"undecided: {o.name}: {', '.join(o.undecided)}" for o in found.undecided]
    lines += [f"not applicable: {o.name}: {o.reason[:_REASON_WIDTH]}" for o in found.inapplicable]
    return lines


def as_json(outcomes: Sequence[Outcome], other: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """All of it as plain data; `other` are the checks that were not green before any defect."""
    found = totals(outcomes)
    shares = ("detected", "integrity", "class_right", "cause_right", "place_right", "false_alarms")
    return {
        "schema": "modelqa.mutation/1",
        "totals": {name: asdict(getattr(found, name)) for name in shares}
        | {"median_seconds": found.median_seconds, "seconds": found.seconds},
        "not_green_before": [
            {"modality": modality, "check": check, "verdict": text}
            for (modality, check), text in sorted(other.items())
        ],
        "outcomes": [asdict(o) | {"result": verdict(o)} for o in outcomes],
    }


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines, aligned."""
    table = [tuple(r) for r in rows]
    widths = [max(len(r[i]) for r in table) for i in range(len(table[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in table]
