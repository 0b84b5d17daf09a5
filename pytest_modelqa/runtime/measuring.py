"""Measurements of an artifact by other packages: entry-point group `modelqa.measurements`, by name.

An entry point is a function `measure(artifact, options) -> rows`: the path of a GGUF file or of a
folder with config.json, the options of the request, and a list of mappings of texts to scalars. It
is imported in the worker that measures, never in pytest's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.errors import Unavailable, UsageError
from pytest_modelqa.core.measuring import Measure, Measured, MeasuredRow, Measurement

GROUP = "modelqa.measurements"
INSTALL = 'python -m pip install "pytest-modelqa[all]"'
LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes")
"""What measurements compute with; their versions decide what they find."""


def measured(artifact: Path, request: Measure) -> Measurement | Failure:
    """The rows of a measurement; a Failure where it is not installed, or says it cannot be made.

    Raises whatever else it raises, and TypeError where what it gives are no rows.
    """
    entry = _entry(request.name)
    if entry is None:
        known = ", ".join(sorted(entry_points(group=GROUP).names)) or "none"
        reason = f"no package registers the measurement {request.name!r}; installed: {known}"
        return Failure(cause="unavailable", reason=reason, remedy=INSTALL)
    try:
        measure = entry.load()
    except (ImportError, AttributeError) as error:
        reason = f"the measurement {request.name} cannot be loaded from {entry.value}: {error}"
        return Failure(cause="unavailable", reason=reason, remedy=INSTALL)
    try:
        rows = measure(artifact, request.arguments)
    except (Unavailable, UsageError) as error:  # of this model, or with these options
        return Failure(cause="unavailable", reason=error.what, remedy=error.remedy)
    return Measurement(rows=tuple(_row(request.name, row) for row in rows))


def build_of(name: str) -> str:
    """What decides a measurement's result besides its request: its code and its libraries."""
    entry = _entry(name)
    if entry is None:
        return f"{name} absent"
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module
    return ", ".join([package, *filter(None, map(_library, LIBRARIES))])


def _entry(name: str) -> EntryPoint | None:
    return next(iter(entry_points(group=GROUP, name=name)), None)


def _library(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""


def _row(name: str, row: Any) -> MeasuredRow:
    """A row as it was given, or TypeError: what is no row may hide that nothing was measured."""
    if not isinstance(row, Mapping) or not all(isinstance(key, str) for key in row):
        raise TypeError(f"the measurement {name} gave {str(row)[:80]!r}, which is no row")
    for key, value in row.items():
        if value is not None and not isinstance(value, (str, int, float, bool)):
            kind = type(value).__name__
            raise TypeError(f"the measurement {name} gave a {kind} as {key!r}, not a scalar")
    return MeasuredRow(values=tuple(Measured(name=k, value=v) for k, v in row.items()))
