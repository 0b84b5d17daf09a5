"""Two artifacts compared as they are stored: tensors, hyper-parameters, statistics; no engine."""

from __future__ import annotations

from pytest_modelqa.artifacts.differential.configuration import compare_configuration
from pytest_modelqa.artifacts.differential.statistics import compare_statistics
from pytest_modelqa.artifacts.differential.tensors import compare_tensors
from pytest_modelqa.core.comparison.tensors import (
    CompareConfiguration,
    CompareStatistics,
    CompareTensors,
)

COMPARERS = {
    CompareTensors: compare_tensors,
    CompareConfiguration: compare_configuration,
    CompareStatistics: compare_statistics,
}
"""Requests that are answered from two paths, each by `compare(candidate, reference, request)`."""

__all__ = ["COMPARERS", "compare_configuration", "compare_statistics", "compare_tensors"]
