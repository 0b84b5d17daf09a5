"""The companion training package: memory planned, data checked, adapters trained and merged."""

from __future__ import annotations

from training.memory import plan_memory

__all__ = ["plan_memory"]
