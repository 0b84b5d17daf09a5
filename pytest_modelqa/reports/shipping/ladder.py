"""What to do after a BLOCKED decision, from the least effort to the most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.shipping import ShipDecision
from pytest_modelqa.reports.shipping.causes import Cause, is_quantised
from pytest_modelqa.reports.shipping.history import Cleared

FINER = ("q2_k", "q3_k_m", "q4_k_m", "q5_k_m", "q6_k", "q8_0", "f16")
"""Quantisations from coarse to fine, of those that are in common use."""

_HASH_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A remedy; `supported` where a cause speaks for it."""

    text: str
    supported: bool = False


def remedies(
    record: RunRecord, ship: ShipDecision, causes: Sequence[Cause], cleared: Cleared | None
) -> list[Rung]:
    """Repair the run, quantise less, go back, train again. The last is always there."""
    kinds = {cause.kind for cause in causes if cause.speaks}
    return [
        *_repair(ship, "run" in kinds),
        *_quantise(record, "quantisation" in kinds),
        _go_back(cleared),
        _train(ship, "training" in kinds),
    ]


def finer(key: str) -> str:
    """The next finer quantisation of an artifact's key; empty where there is none."""
    family, _, name = key.lower().partition("-")
    if name in FINER[:-1]:
        return f"{family}-{FINER[FINER.index(name) + 1]}"
    coarse = [f for f in FINER if f[:2] == name[:2]]
    after = FINER.index(coarse[-1]) + 1 if coarse else len(FINER)
    return f"{family}-{FINER[after]}" if after < len(FINER) else ""


def _repair(ship: ShipDecision, broken: bool) -> Iterator[Rung]:
    missing = [line.name for line in ship.harnesses if line.value is None]
    if broken or missing:
        names = ", ".join(missing) or "the harnesses that crashed or timed out"
        yield Rung(text=f"Make the run complete and repeat it: {names}.", supported=True)


def _quantise(record: RunRecord, supported: bool) -> Iterator[Rung]:
    key = record.run.ship.artifact if record.run.ship else ""
    better = finer(key) if is_quantised(key) else ""
    if better:
        text = (
            f"Quantise less: add {better} to the matrix, set ship_gates.artifact to it, "
            "and run the playbook again."
        )
        yield Rung(text=text, supported=supported)


def _go_back(cleared: Cleared | None) -> Rung:
    if cleared is None:
        return Rung(
            text="Roll back to the last cleared artifact: no run beside this one has cleared any, "
            "so keep what is in production."
        )
    return Rung(
        text=f"Roll back to the last cleared artifact: {cleared.artifact}, "
        f"sha256 {cleared.sha256[:_HASH_DIGITS]}, cleared by run {cleared.run} "
        f"on {cleared.timestamp[:10]}.",
        supported=True,
    )


def _train(ship: ShipDecision, supported: bool) -> Rung:
    failed = [line.name for line in ship.harnesses if not line.passed]
    what = f" with more and better samples for {', '.join(failed)}" if failed else ""
    return Rung(
        text=f"Train again{what}, after its data was checked for leakage and its loss curve for "
        "anomalies; then run the playbook again.",
        supported=supported,
    )
