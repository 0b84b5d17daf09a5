"""What a defect is: a function from an artifact to a change, and what is expected of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pytest_modelqa.artifacts.defects.gguf_edit import Edit
from pytest_modelqa.artifacts.defects.subject import Subject
from pytest_modelqa.core.model import Format


class DefectClass(StrEnum):
    """What kind of thing went wrong."""

    INTEGRITY = "integrity"
    TOKENIZER = "tokenizer"
    TEMPLATE = "template"
    LAYOUT = "layout"
    VALUES = "values"
    HYPER = "hyper-parameters"
    QUANTISATION = "quantisation"
    FINE_TUNING = "fine-tuning"


class Inapplicable(NamedTuple):
    """Why a defect or a variant cannot be made of this artifact."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that differs between an artifact and its copy, in GGUF's names; all else is the same.

    `place` is where a report should point: a tensor, a layer `blk.N`, a metadata key, or empty.
    `patch` damages the finished copy of a GGUF file, where no sound file would hold the defect.
    """

    place: str = ""
    metadata: Mapping[str, Any | None] = field(default_factory=dict)
    tensors: Mapping[str, Edit] = field(default_factory=dict)
    order: Callable[[Sequence[str]], Sequence[str]] | None = None
    alignment: int | None = None
    patch: Callable[[Path], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A way to break a model. `what` is one sentence for the report.

    `causes` are the names that a right diagnosis gives it; `caught_by` is the check whose work it
    is to find it.
    """

    name: str
    category: DefectClass
    what: str
    causes: tuple[str, ...]
    caught_by: str
    change: Callable[[Subject], Change | Inapplicable]


class Made(NamedTuple):
    """A variant that was made: its file or folder, and what it is now."""

    path: Path
    format: Format
    quantization: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A healthy relative of an artifact: no check may call it broken.

    `exact` promises the same values, bit by bit. `make` writes into an empty folder.
    """

    name: str
    what: str
    exact: bool
    make: Callable[[Subject, Path], Made | Inapplicable]
