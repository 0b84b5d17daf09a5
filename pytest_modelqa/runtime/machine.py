"""What the machine has: cores, memory; how much of it a worker gets."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LEAST_ADDRESS_SPACE = 16 << 30
"""torch with its CUDA libraries maps about 10 GiB of addresses before any weight is loaded."""


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_per_worker() -> int:
    """Cores divided among pytest-xdist's processes: never more threads than cores in all."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(1, cores() // max(1, processes))


def address_space(limit_mb: int | None) -> int:
    """RLIMIT_AS in bytes: the playbook's limit in MiB, else physical memory, at least 16 GiB."""
    if limit_mb is not None:
        return limit_mb << 20
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(physical, _LEAST_ADDRESS_SPACE)


def oom_kills() -> int:
    """Processes that the kernel killed for lack of memory, in this control group if it tells."""
    for file in (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")):
        with suppress(OSError):
            for line in file.read_text(encoding="ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


def cache_bytes() -> int:
    """What the caches of a batch may take: an eighth of physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8


def copies(model_bytes: int) -> int:
    """How many workers may hold a model: one a thread, in half of the physical memory.

    A model takes about three times its file while it is loaded and converted.
    """
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return max(1, min(threads_per_worker(), half // max(1, 3 * model_bytes)))


def machine() -> dict[str, str]:
    """A short description for reports; no host name, no user."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": str(cores()),
        "memory_gib": str(round(physical / (1 << 30))),
        "python": platform.python_version(),
    }


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a device, not a path
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"


@cache
def versions() -> dict[str, str]:
    """Versions of what decides results, of those that are installed."""
    found = {}
    for name in ("pytest-modelqa", "pytest", "llama-cpp-python", "torch", "transformers", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
