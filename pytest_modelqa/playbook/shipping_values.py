"""Ship gates and canaries after validation: frozen values, files read, oracles made."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.model import Mode
from pytest_modelqa.core.shipping import Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question with what judges its answer; `id` is unique within a harness."""

    id: str
    text: str
    oracle: Oracle
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A judged answer: the oracle must say the same, or the harness is wrong.

    `place` is where it stands, as file:line.
    """

    answer: str
    passes: bool
    why: str
    prompt: str
    oracle: Oracle
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessSpec:
    """One gate: `prompts` are as many as are asked, all different."""

    name: str
    demand: Demand
    prompts: tuple[Prompt, ...]
    examples: tuple[Example, ...]
    max_tokens: int
    stop: tuple[str, ...] = ()
    mode: Mode = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipSpec:
    """The ship gates. `artifact` and `baseline` are keys; no baseline is empty."""

    artifact: str
    baseline: str
    min_overall: float
    harnesses: tuple[HarnessSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanarySpec:
    """A task that must be done, and the group that it is told with."""

    name: str
    group: str
    prompt: str
    oracle: Oracle
    system: str
    max_tokens: int
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CanariesSpec:
    """The canaries. `stages` are keys of artifacts, the last of which ships."""

    tasks: tuple[CanarySpec, ...]
    stages: tuple[str, ...]
    baseline: str
