"""What a case concludes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.shipping import CanaryTrail, Gauge


class Outcome(StrEnum):
    """Closed; only the first is a pass. Ordered from best to worst by definition order."""

    CORROBORATED = "corroborated"
    INCONCLUSIVE = "inconclusive"
    UNAVAILABLE = "unavailable"
    FALSIFIED = "falsified"
    TIMEOUT = "timeout"
    CRASHED = "crashed"

    @property
    def failed(self) -> bool:
        """True where the model is at fault."""
        return self in (Outcome.FALSIFIED, Outcome.TIMEOUT, Outcome.CRASHED)

    @property
    def undecided(self) -> bool:
        """True where nothing was decided: never a pass, a failure under --modelqa-strict."""
        return self in (Outcome.INCONCLUSIVE, Outcome.UNAVAILABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What became of one example of a case that tested several.

    `asked` and `answered` are its prompt and the text that came back, where reports show them.
    """

    name: str
    outcome: Outcome
    reason: str
    asked: str = ""
    answered: str = ""

    @property
    def verdict(self) -> Verdict:
        """The same, of a case of its own."""
        return Verdict(outcome=self.outcome, reason=self.reason, tested=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An outcome with a reason to act on. `tested` counts what was compared; 0 never passes.

    `parts` are the examples of a case that tested a family of them. `gauge` is what a harness of
    the ship gates measured, `trail` a canary through the stages.
    """

    outcome: Outcome
    reason: str
    tested: int = 0
    detail: str = ""
    remedy: str = ""
    parts: tuple[Part, ...] = ()
    gauge: Gauge | None = None
    trail: CanaryTrail | None = None

    def __post_init__(self) -> None:
        if not self.reason:
            raise ValueError("a verdict needs a reason")
        if self.outcome is Outcome.CORROBORATED and self.tested < 1:
            raise ValueError(f"corroborated without having tested anything: {self.reason}")

    @property
    def is_incomplete(self) -> bool:
        """Whether a harness lacks answers that it asked for."""
        return self.gauge is not None and self.tested < self.gauge.n


def corroborated(reason: str, *, tested: int, parts: tuple[Part, ...] = ()) -> Verdict:
    """The claim survived `tested` attempts to refute it."""
    return Verdict(outcome=Outcome.CORROBORATED, reason=reason, tested=tested, parts=parts)


def falsified(reason: str, *, tested: int = 1, detail: str = "", remedy: str = "") -> Verdict:
    """The claim was refuted by evidence."""
    return Verdict(
        outcome=Outcome.FALSIFIED, reason=reason, tested=tested, detail=detail, remedy=remedy
    )


def inconclusive(reason: str, *, tested: int = 0, remedy: str = "") -> Verdict:
    """Evidence exists and does not decide; the reason says how much would."""
    return Verdict(outcome=Outcome.INCONCLUSIVE, reason=reason, tested=tested, remedy=remedy)


def unavailable(reason: str, *, remedy: str = "") -> Verdict:
    """Nothing was tested; the remedy is the command that makes it run."""
    return Verdict(outcome=Outcome.UNAVAILABLE, reason=reason, remedy=remedy)


_BY_CAUSE = {
    "crashed": Outcome.CRASHED,
    "timeout": Outcome.TIMEOUT,
    "refused": Outcome.FALSIFIED,
    "error": Outcome.CRASHED,
    "unavailable": Outcome.UNAVAILABLE,
}


def verdict_of_failure(failure: Failure) -> Verdict:
    """A request without an answer decides its case: never a pass."""
    return Verdict(
        outcome=_BY_CAUSE[failure.cause],
        reason=failure.reason,
        detail=failure.detail,
        remedy=failure.remedy,
    )
