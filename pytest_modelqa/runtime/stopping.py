"""Which cases are not run any more, by the failure policy: the same ones however a run is divided.

A case that stops the rest stops those that come later in the plan, and no others. Processes of one
run tell each other through a file; what one of them ran before it knew is put right in the merge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pytest_modelqa.core.check import FailurePolicy, Severity
from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.core.verdict import unavailable


class Stopping:
    """The first case in the plan that stops the rest, as far as this process knows.

    `order` holds all case ids of the plan; `signal` is the file that processes share.
    """

    def __init__(self, policy: FailurePolicy, order: Sequence[str], signal: Path) -> None:
        self._policy = policy
        self._place = {case_id: i for i, case_id in enumerate(order)}
        self._signal = signal
        self._first: tuple[int, str] | None = None

    def note(self, result: CaseResult) -> None:
        """Follow a result; tell the others when it stops the rest."""
        if stops(self._policy, result):
            self._take(self._place[result.case.id], _because(self._policy, result))
            with suppress(OSError), self._signal.open("a") as file:
                file.write(json.dumps(self._first) + "\n")

    def reason_against(self, case_id: str) -> str:
        """Why a case is not run, or empty."""
        with suppress(OSError):
            for line in self._signal.read_text().splitlines():
                with suppress(ValueError):
                    self._take(*json.loads(line))
        if self._first is None or self._place[case_id] <= self._first[0]:
            return ""
        return self._first[1]

    def _take(self, place: int, reason: str) -> None:
        if self._first is None or place < self._first[0]:
            self._first = place, reason


def stops(policy: FailurePolicy, result: CaseResult) -> bool:
    """True where this result ends what comes later in the plan."""
    if not result.verdict.outcome.failed or policy is FailurePolicy.COLLECT_ALL:
        return False
    return policy is FailurePolicy.STOP_ON_FIRST or result.case.severity == Severity.P0


def settled(policy: FailurePolicy, results: Iterable[CaseResult]) -> list[CaseResult]:
    """Results in plan order, as one process that runs them in this order would have them."""
    reason = ""
    made = []
    for result in results:
        if reason and not result.verdict.outcome.undecided:
            made.append(replace(result, verdict=unavailable(reason)))
            continue
        made.append(result)
        if not reason and stops(policy, result):
            reason = _because(policy, result)
    return made


def _because(policy: FailurePolicy, result: CaseResult) -> str:
    return f"blocked by {result.case.id} ({policy}): {result.verdict.reason}"
