"""Ship gates: harnesses that measure a rate, canaries that may never fail."""

from __future__ import annotations

from pytest_modelqa.checks.shipping.canary import Canary
from pytest_modelqa.checks.shipping.harness import Harness
from pytest_modelqa.checks.shipping.planning import shipping

__all__ = ["Canary", "Harness", "shipping"]
