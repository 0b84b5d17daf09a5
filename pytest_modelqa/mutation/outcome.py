"""What came of planting one defect, or of one healthy variant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_modelqa.core.ids import canonical, digest

State = Literal["judged", "inapplicable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`checks` are those that were green before and are not now, `reason` is the first's.

    `category` is the defect's class, `healthy` for a variant. `effect` says what changed beside the
    stored bytes, and is empty where nothing that was asked for did. `place` is what a report should
    point to, `named_*` is what it said. `seconds` are the wall's, planting included; 0 where
    evidence of an earlier run answered, whose time is not known any more.
    """

    name: str
    category: str
    what: str
    state: State
    reason: str = ""
    checks: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    caught_by: str = ""
    effect: str = ""
    place: str = ""
    cause: str = ""
    named_class: str = ""
    named_place: str = ""
    class_right: bool = False
    cause_right: bool = False
    place_right: bool = False
    seconds: float = 0.0

    @property
    def healthy(self) -> bool:
        """A variant that no check may call broken."""
        return self.category == HEALTHY

    @property
    def detected(self) -> bool:
        """A check that was green on the unaltered artifact is not green now."""
        return bool(self.checks)

    @property
    def counts(self) -> bool:
        """A defect that does something: those of integrity always do."""
        return self.state == "judged" and bool(self.effect)


HEALTHY = "healthy"


def outcome_key(name: str, *parts: str) -> str:
    """What an outcome depends on; an earlier one with the same key is not made again."""
    return digest(canonical([name, *parts]))[:32]
