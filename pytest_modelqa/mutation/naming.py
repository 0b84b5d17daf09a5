"""What a run called its defect, and whether that is right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pytest_modelqa.artifacts.defects.defect import Change, Defect
from pytest_modelqa.artifacts.defects.integrity import BROKEN
from pytest_modelqa.checks.parity.causes import BY_NAME
from pytest_modelqa.checks.parity.diagnosis import Diagnosis
from pytest_modelqa.core.result import CaseResult

_CAUSE = re.compile(
    r"^cause: (?P<name>[^;]+?) \([^()]*, (?:certain|likely|possible)\)"
    r"(?: at (?P<places>[^:\[]+))?"
)
"""How the diagnosis of `parity` begins."""

_DIAGNOSIS = Diagnosis(of=()).name
_LAYER = re.compile(r"\bblk\.\d+\b")


class Named(NamedTuple):
    """A cause, and where; empty where none was named."""

    cause: str
    place: str


def named(results: Iterable[CaseResult]) -> Named:
    """The diagnosis; where there is none, a broken file is named by its first gateway."""
    red = [r for r in results if r.verdict.outcome.failed]
    for result in red:
        if result.case.name == _DIAGNOSIS and (match := _CAUSE.match(result.verdict.reason)):
            return Named(match["name"], _first(match["places"] or ""))
    for result in red:
        if result.case.gate == "G0":
            _code, *rest = result.verdict.reason.split()
            return Named(BROKEN, rest[0].rstrip(":") if rest else "")
    return Named("", "")


def _first(places: str) -> str:
    """Of several places the first that is a tensor, a layer or a key."""
    words = [w.strip(",") for w in places.split()]
    return next((w for w in words if "." in w), words[0] if words else "")


def class_of(cause: str) -> str:
    """The class that a cause belongs to, or nothing."""
    if cause == BROKEN:
        return "integrity"
    return BY_NAME[cause].kind if cause in BY_NAME else ""


def cause_right(defect: Defect, cause: str) -> bool:
    """A right name of the defect itself, not of any other of its class."""
    return cause in defect.causes


def place_right(change: Change, place: str) -> bool:
    """The place itself, a tensor that was changed, or the layer of either."""
    if not change.place or not place:
        return False
    right = {change.place, *change.tensors}
    layers = {m[0] for name in right if (m := _LAYER.match(name))}
    return place in right | layers or _inside(place, change.place)


def _inside(place: str, layer: str) -> bool:
    """A tensor of the layer that is the place."""
    return bool(_LAYER.fullmatch(layer)) and place.startswith(f"{layer}.")
