"""How much memory a training process holds, now and at its most; bytes."""

from __future__ import annotations

import resource
import sys


def held_bytes(device: str) -> int:
    """What the device holds for us now; on the CPU, what the process has resident."""
    import torch  # noqa: PLC0415 - only where something is trained

    if device == "cuda":
        return int(torch.cuda.memory_allocated())
    if device == "mps":
        return int(torch.mps.driver_allocated_memory())
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with accelerate

    return int(psutil.Process().memory_info().rss)


def peak_bytes(device: str) -> int:
    """The most that was held since the process began."""
    import torch  # noqa: PLC0415

    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
