"""What a comparison is given: both models, opened in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_modelqa.core.answer import Compared, Failure
from pytest_modelqa.core.request import Comparison
from pytest_modelqa.engines.answering import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The candidate, and the reference that it is compared to."""

    candidate: Model
    reference: Model


Compare = Callable[[Pair, Any], Compared | Failure]
Comparers = Mapping[type[Comparison], Compare]
