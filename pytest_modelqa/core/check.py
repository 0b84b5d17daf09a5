"""Checks and cases: what is claimed, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeGuard

from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.model import Artifact, ArtifactSpec, Cell, Mode
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.shipping import Role
from pytest_modelqa.core.verdict import Verdict


class Category(StrEnum):
    """The six parts of the score."""

    QUAL = "QUAL"
    PERF = "PERF"
    STAB = "STAB"
    COMP = "COMP"
    EDGE = "EDGE"
    REGR = "REGR"


class FailurePolicy(StrEnum):
    """Which failed case ends those that come later in the plan: any, one of P0, or none."""

    STOP_ON_FIRST = "stop_on_first"
    STOP_ON_P0 = "stop_on_p0"
    COLLECT_ALL = "collect_all"


class Severity(StrEnum):
    """P0 stops the model under `stop_on_p0`; the rest orders reports."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class Check(Protocol):
    """A kind of question. Pure: declares requests, judges answers, never meets an engine.

    `judge` gets one answer per name of `requests`, of the kind that its request asks for:
    failures have been turned into verdicts before.
    """

    @property
    def name(self) -> str:
        """The item's name, unique within a cell."""

    @property
    def gate(self) -> str:
        """The numbered claim that a verdict decides."""

    @property
    def category(self) -> Category:
        """Where its points count."""

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """What to ask of the cell, by name. Empty: the check is not available yet."""

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Conclude. Never corroborates on no evidence."""


class Adaptive(Check, Protocol):
    """A check that asks again, depending on what it heard: to confirm, to compare, to shrink.

    Unlike others it sees failures: its `judge` and `follow_up` get every answer so far, by name.
    """

    def follow_up(self, cell: Cell, answers: Mapping[str, Any]) -> Mapping[str, Request]:
        """What to ask next, under new names, in exact mode. Empty: `judge` can conclude."""


class Calibrated(Check, Protocol):
    """A check whose limits may have been measured: on one reference, good for that one alone."""

    def unfit_for(self, reference: Artifact) -> str:
        """Why its limits do not hold for this reference; empty where they do."""


class Across(Check, Protocol):
    """A check of the model as a whole, that asks several cells; its case has no cell of its own.

    Like one that asks again it sees failures: `judge` gets every answer, by name.
    """

    def questions(self) -> Mapping[str, tuple[Cell, Request]]:
        """What to ask, by name, and of which cell."""


def is_adaptive(check: Check) -> TypeGuard[Adaptive]:
    """Whether it asks again. By its method: `isinstance` of a protocol looks at all of them."""
    return hasattr(check, "follow_up")


def is_calibrated(check: Check) -> TypeGuard[Calibrated]:
    """Whether its limits may have been measured on one reference."""
    return hasattr(check, "unfit_for")


def is_across(check: Check) -> TypeGuard[Across]:
    """Whether it asks several cells."""
    return hasattr(check, "questions")


class Oracle(Protocol):
    """Judges one completion. A dataclass: its fields are its parameters in the playbook.

    `name` is what a playbook writes after `oracle:`. Entry points of `modelqa.oracles` add more.
    """

    name: ClassVar[str]

    def problem_with(self, prompt: str) -> str | None:
        """Say why this oracle cannot judge answers to `prompt`, or None; asked at load time."""

    def judge(self, prompt: str, answer: Generation) -> Verdict:
        """Conclude from the decoded completion alone, never from a banner or the prompt's echo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A check on a cell: one pytest item. `cell` is None for checks of the model as a whole.

    `mode` is how its requests are answered: one at a time, or in batches. `examples` is how many
    parts its verdict will have; 0 for a case that is one question.

    A case with a `reference` asks comparisons: of its cell's artifact with that one. One with a
    `measurement` asks that alone, when its turn comes: the others do not wait for it. `role` is
    what it is to the decision whether to ship.
    """

    check: Check
    cell: Cell | None
    severity: Severity
    tier: int
    is_gateway: bool = False
    mode: Mode = "exact"
    examples: int = 0
    reference: ArtifactSpec | None = None
    measurement: str = ""
    role: Role = ""

    @property
    def scope(self) -> str:
        """The cell's id, or `model`."""
        return self.cell.id if self.cell else "model"

    @property
    def id(self) -> str:
        """`gguf-q4_1-cpu-chat::G2`: unique within a playbook."""
        return f"{self.scope}::{self.check.name}"
