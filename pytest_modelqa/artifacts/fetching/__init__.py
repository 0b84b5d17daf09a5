"""From a pinned source to bytes in the cache: HTTP with resume, the hub, wheels, local builds."""
