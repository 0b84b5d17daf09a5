"""What one worker has in hand: what it has begun, and until when it must be heard."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pytest_modelqa.core.answer import Answer
from pytest_modelqa.core.request import Request
from pytest_modelqa.runtime.pace import Pace
from pytest_modelqa.runtime.process import WorkerDied


class Turn:
    """A unit of requests at a worker. Times are on `time.monotonic()`."""

    def __init__(
        self,
        *,
        unit: Sequence[int],
        requests: Sequence[Request],
        load_timeout_s: float,
        silence_s: float,
        pace: Pace,
    ) -> None:
        self.left = list(unit)
        self.begun: list[int] = []
        self.opening = False
        self._unit = tuple(unit)
        self._requests = requests
        self._load_timeout_s = load_timeout_s
        self._silence_s = silence_s
        self._pace = pace
        self._begun_at: dict[int, float] = {}
        self._allowed: dict[int, float] = {}
        self._step_at = self._heard_at = time.monotonic()

    @property
    def waited_s(self) -> float:
        """How long the present step has taken."""
        return time.monotonic() - self._step_at

    @property
    def deadline(self) -> float:
        """When this worker is overdue: for its requests, its loading, or a sign of life."""
        return min(self._step_deadline, self._heard_at + self._silence_s)

    @property
    def _step_deadline(self) -> float:
        if self.opening or not self.begun:
            return self._step_at + self._load_timeout_s
        return min(self._begun_at[i] + self._allowed[i] for i in self.begun)

    @property
    def overdue(self) -> bool:
        """True when the deadline has passed."""
        return time.monotonic() >= self.deadline

    @property
    def reproach(self) -> str:
        """What the worker failed to do in time."""
        if time.monotonic() < self._step_deadline:
            return f"the worker gave no sign of life for {self._silence_s:g} s and was killed"
        if self.opening or not self.begun:
            allowed = self._load_timeout_s
        else:
            allowed = min(self._allowed[i] for i in self.begun)
        return f"no answer within {allowed:.3g} s; the worker was killed"

    def note(self, message: dict[str, Any]) -> None:
        """Follow the worker by its messages."""
        now = time.monotonic()
        self._heard_at = now
        match message["op"]:
            case "opening":
                self.opening, self._step_at = True, now
            case "opened":
                self.opening, self._step_at = False, now
                self._begun_at = dict.fromkeys(self._begun_at, now)
            case "begin":
                index = self._index(message)
                if index not in self.begun:
                    self.begun.append(index)
                self._begun_at[index] = self._step_at = now
                self._allowed[index] = self._pace.allowance(self._requests[index])

    def answered(self, message: dict[str, Any], answer: Answer) -> int:
        """The index of what was answered. An answer without a beginning is a broken worker."""
        index = self._index(message)
        if index not in self.begun:
            raise WorkerDied("answered without having begun", "")
        self.begun.remove(index)
        self.left.remove(index)
        now = time.monotonic()
        self._pace.measure(answer, now - self._begun_at.pop(index))
        self._step_at = now
        return index

    def _index(self, message: dict[str, Any]) -> int:
        at = message.get("index")
        if not isinstance(at, int) or not 0 <= at < len(self._unit):
            raise WorkerDied(f"spoke of request {at!r} of {len(self._unit)}", "")
        return self._unit[at]
