"""Numeric and training suites that ship with the plugin; run with `pytest suites`."""
