"""What is asked of a candidate and its reference together, and what comes back."""

from __future__ import annotations

from pytest_modelqa.core.answer import Compared
from pytest_modelqa.core.comparison import greedy, logits, templates, tensors, tokens, trace
from pytest_modelqa.core.request import Comparison

_MODULES = (tokens, templates, logits, greedy, tensors, trace)

REQUESTS: tuple[type[Comparison], ...] = tuple(r for m in _MODULES for r in m.REQUESTS)
ANSWERS: tuple[type[Compared], ...] = tuple(a for m in _MODULES for a in m.ANSWERS)
