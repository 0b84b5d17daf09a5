"""transformers as they are, struck in the middle of a generation."""

from __future__ import annotations

from pytest_modelqa.engines.hf import Transformers
from suites.chaos.striking import Striking


class StruckTransformers(Striking, Transformers):
    """Knows the blows that need no library of their own."""
