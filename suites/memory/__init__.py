"""The planner of memory against reality: counts, bytes, and the peaks of real training steps."""
