"""Comparisons of what two artifacts store: answered by our own readers, without any engine."""

from __future__ import annotations

from pathlib import Path

from pytest_modelqa.artifacts.differential import (
    compare_configuration,
    compare_statistics,
    compare_tensors,
)
from pytest_modelqa.core.answer import Compared
from pytest_modelqa.core.comparison.tensors import (
    CompareConfiguration,
    CompareStatistics,
    CompareTensors,
)
from pytest_modelqa.core.request import Comparison


def compare_stored(candidate: Path, reference: Path, request: Comparison) -> Compared:
    """Tensors, their statistics, or hyper-parameters. Raises Refused, OSError."""
    match request:
        case CompareTensors():
            return compare_tensors(candidate, reference, request)
        case CompareStatistics():
            return compare_statistics(candidate, reference, request)
        case CompareConfiguration():
            return compare_configuration(candidate, reference, request)
        case _:
            raise TypeError(f"nothing stored answers {type(request).__name__}")
