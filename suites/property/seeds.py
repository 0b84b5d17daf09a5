"""The seed of a run: printed at its end, the same in all workers, given again by variable."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

VARIABLE = "MODELQA_SUITES_SEED"
SEED = int(os.environ.setdefault(VARIABLE, str(secrets.randbelow(2**32))))
"""Chosen by the first process; its children inherit it."""


def checked(examples: int) -> Callable[[Any], Any]:
    """Look for a counterexample in so many examples, from the seed of the run; then shrink it."""
    wanted = settings(
        max_examples=examples,
        deadline=None,
        print_blob=True,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.target, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow],
    )
    return lambda test: seed(SEED)(wanted(test))


def found(search: Callable[[], None]) -> bool:
    """Whether a search ends in a counterexample; for the controls, whose claims are false."""
    try:
        search()
    except AssertionError:
        return True
    return False
