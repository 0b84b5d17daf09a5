"""What a fuzz run saw: counts of every invariant, and the inputs that broke one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from suites.fuzz.files import Files


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A kind of defect: `place` tells it from others, `count` says how often it was met.

    `files` is the first input that met it; `kind` is an invariant's name, or what a reader did.
    """

    kind: str
    place: str
    detail: str
    index: int
    count: int
    files: Files

    @property
    def text(self) -> str:
        """One line."""
        return f"{self.kind} ({self.place}) x {self.count}, first at {self.index}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run of one target. `checked` counts each invariant; `notes` say what came about by name.

    `seconds` is the wall clock of the run, start-up of its process included.
    """

    target: str
    iterations: int
    seed: int
    seconds: float
    checked: Mapping[str, int]
    notes: Mapping[str, int]
    failures: tuple[Failure, ...]

    @property
    def violations(self) -> int:
        """How many iterations broke something."""
        return sum(failure.count for failure in self.failures)

    @property
    def passed(self) -> bool:
        """Everything that was asked for ran, something was checked, and nothing broke."""
        return self.iterations > 0 and sum(self.checked.values()) > 0 and not self.failures

    def lines(self) -> list[str]:
        """The page that `modelqa fuzz` prints for this target."""
        rate = self.iterations / self.seconds if self.seconds else 0.0
        head = (
            f"{self.target}: {self.iterations:,} iterations in {self.seconds:.1f} s "
            f"({rate:,.0f} a second), seed {self.seed}, {len(self.checked)} invariants checked "
            f"{sum(self.checked.values()):,} times, {self.violations:,} violations"
        )
        body = [f"  {name:<32} {count:>14,}" for name, count in sorted(self.checked.items())]
        body += [f"  ({name}: {count:,})" for name, count in sorted(self.notes.items())]
        return [head, *body, *(f"  BROKEN {failure.text}" for failure in self.failures)]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON-able data; inputs are left out, their place in the corpus is told."""
        failures = [
            {"kind": f.kind, "place": f.place, "detail": f.detail, "index": f.index,
             "count": f.count} for f in self.failures
        ]  # fmt: skip
        return {
            "target": self.target,
            "iterations": self.iterations,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "checked": dict(self.checked),
            "notes": dict(self.notes),
            "violations": self.violations,
            "failures": failures,
        }
