"""What a check of a stage measures: a number, the bounds it must lie in, and how much was seen.

Whether a check holds follows from its numbers alone; so a playbook may judge the same numbers by
bounds of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_modelqa.core.errors import Refused

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check. It holds where `tested` is positive and least <= `value` <= most.

    `reason` names what was measured, also where it holds. A bound that is None does not bound, and
    NaN is within no bounds. `tested` is 0 where there was too little to tell.
    """

    check: str
    value: float
    tested: int
    reason: str
    least: float | None = None
    most: float | None = None

    @property
    def passed(self) -> bool:
        """Whether it holds; a number without bounds shows nothing."""
        if self.tested < 1 or not math.isfinite(self.value):
            return False
        low = self.least is None or self.value >= self.least
        high = self.most is None or self.value <= self.most
        return (self.least, self.most) != (None, None) and low and high

    @property
    def values(self) -> dict[str, Value]:
        """For JSON, and as a row of a measurement; without numbers where one is not finite."""
        bounds = [bound for bound in (self.least, self.most) if bound is not None]
        told = all(map(math.isfinite, (self.value, *bounds)))
        return {
            "check": self.check,
            "passed": self.passed,
            "reason": self.reason,
            "value": self.value if told else None,
            "least": self.least if told else None,
            "most": self.most if told else None,
            "tested": self.tested,
        }


def counted(check: str, wrong: int, tested: int, reason: str) -> Finding:
    """`wrong` of `tested` things are not as they should be; none may be."""
    return Finding(check=check, value=wrong, most=0, tested=tested, reason=reason)


def held(check: str, reason: str, tested: int = 1) -> Finding:
    """Of all that was looked at, nothing is wrong."""
    return counted(check, 0, tested, reason)


def failed(check: str, reason: str, tested: int = 1) -> Finding:
    """Something is wrong, or it could not be looked at."""
    return counted(check, 1, tested, reason)


def judged(check: str, right: bool, reason: str, tested: int = 1) -> Finding:
    """One or the other of these."""
    return (held if right else failed)(check, reason, tested)


def too_few(check: str, reason: str) -> Finding:
    """Not enough was there to tell: it does not hold, and shows no defect."""
    return Finding(check=check, value=math.nan, tested=0, reason=reason)


def all_hold(findings: Iterable[Finding]) -> bool:
    """Whether every check holds; no checks at all are not a pass."""
    seen = list(findings)
    return bool(seen) and all(f.passed for f in seen)


def insist(findings: Iterable[Finding], where: str, remedy: str) -> None:
    """Raise Refused with every check that does not hold; also where there is none."""
    seen = list(findings)
    broken = [f"{f.check}: {f.reason}" for f in seen if not f.passed]
    if seen and not broken:
        return
    what = "; ".join(broken) if seen else "nothing was checked"
    raise Refused(what, where=where, remedy=remedy)


def table(findings: Iterable[Finding]) -> str:
    """One line a check: whether it holds, its name, its reason."""
    seen = list(findings)
    width = max((len(f.check) for f in seen), default=0)
    return "\n".join(
        f"{'ok    ' if f.passed else 'FAILED'}  {f.check.ljust(width)}  {f.reason}" for f in seen
    )
