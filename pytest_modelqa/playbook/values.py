"""A playbook after validation: frozen values, no pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_modelqa.core.check import Category, FailurePolicy, Oracle, Severity
from pytest_modelqa.core.model import ArtifactSpec, Backend, Format, Modality, Mode
from pytest_modelqa.playbook.shipping_values import CanariesSpec, ShipSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`artifacts` are unique by key; `reference` is the key that others are compared to."""

    id: str
    revision: str
    artifacts: tuple[ArtifactSpec, ...]
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The product that makes cells. `quantizations` lists them per format."""

    modalities: tuple[Modality, ...]
    backends: tuple[Backend, ...]
    formats: tuple[Format, ...]
    quantizations: Mapping[Format, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSpec:
    """A question with its oracle. `allow_garbage` turns the standing garbage check off.

    It is asked in `modalities` alone where these are given.
    """

    name: str
    prompt: str
    oracle: Oracle
    system: str = ""
    max_tokens: int = 32
    temperature: float = 0.0
    category: Category = Category.QUAL
    gate: str = "F-SCENARIO"
    tier: int | None = None
    modalities: tuple[Modality, ...] = ()
    allow_garbage: bool = False
    mode: Mode = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A validated and enabled part of the playbook whose checks live elsewhere, or come later."""

    name: str
    gates: tuple[str, ...]
    category: Category
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a run. Times in seconds, memory in MiB (None: the machine's), sizes in tokens.

    A request may take ten times what its tokens need at the slowest speed measured so far, no less
    than `request_floor_s`, no more than `request_timeout_s`.
    """

    load_timeout_s: float = 300.0
    request_timeout_s: float = 120.0
    request_floor_s: float = 20.0
    memory_mb: int | None = None
    max_loaded_models: int = 1
    max_tokens: int = 256
    n_ctx: int = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """Everything a plan needs. `sha256` covers the file, all templates that it extends, the files
    of its ship gates and canaries, and which model was chosen.

    `severities` holds what the playbook declares under `gates:`, by gate id; `disabled` are the
    gates that it turns off. `candidate` is the chosen name under `models`, empty where there are
    none.
    """

    path: Path
    sha256: str
    version: str
    name: str
    model: Model
    matrix: Matrix
    scenarios: tuple[ScenarioSpec, ...]
    blocks: tuple[Block, ...]
    severities: Mapping[str, Severity]
    failure_policy: FailurePolicy
    seed: int
    tier: int
    limits: Limits
    disabled: frozenset[str] = frozenset()
    candidate: str = ""
    ship: ShipSpec | None = None
    canaries: CanariesSpec | None = None
