"""Training an adapter: the loop, its watchers, what it writes, and how that is verified."""
