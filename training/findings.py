"""What a check of a stage concludes: its name, whether it holds, and how much was looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_modelqa.core.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's conclusion. `reason` names what was measured, also where it holds."""

    check: str
    passed: bool
    reason: str


def held(check: str, reason: str) -> Finding:
    """A check that holds."""
    return Finding(check=check, passed=True, reason=reason)


def failed(check: str, reason: str) -> Finding:
    """A check that does not hold, or that could not be made."""
    return Finding(check=check, passed=False, reason=reason)


def judged(check: str, passed: bool, reason: str) -> Finding:
    """A check and its conclusion."""
    return Finding(check=check, passed=bool(passed), reason=reason)


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
