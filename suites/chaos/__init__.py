"""Chaos: extreme and invalid configurations, and real faults on the production path."""
