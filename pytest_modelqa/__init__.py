"""pytest-modelqa: qualify language models with pytest.

The public names are loaded on first use, so that an unused plugin costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_modelqa.core.answer import Generation
    from pytest_modelqa.core.check import Category, Check, Oracle, Severity
    from pytest_modelqa.core.errors import ExitCode, ModelQAError
    from pytest_modelqa.core.model import Cell
    from pytest_modelqa.core.verdict import (
        Outcome,
        Verdict,
        corroborated,
        falsified,
        inconclusive,
        unavailable,
    )

_HOMES = {
    "Category": "check",
    "Cell": "model",
    "Check": "check",
    "ExitCode": "errors",
    "Generation": "answer",
    "ModelQAError": "errors",
    "Oracle": "check",
    "Outcome": "verdict",
    "Severity": "check",
    "Verdict": "verdict",
    "corroborated": "verdict",
    "falsified": "verdict",
    "inconclusive": "verdict",
    "unavailable": "verdict",
}

__all__ = [
    "Category",
    "Cell",
    "Check",
    "ExitCode",
    "Generation",
    "ModelQAError",
    "Oracle",
    "Outcome",
    "Severity",
    "Verdict",
    "corroborated",
    "falsified",
    "inconclusive",
    "unavailable",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.core.{_HOMES[name]}"), name)
