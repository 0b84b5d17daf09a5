"""Which device trains, and with which type for the frozen base; every fallback is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from training.config.values import HardwareSection
from training.loop.allocator import keeping_freed_memory

_DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """`kind` is cpu, cuda or mps; `dtype` is torch's name of the base's type."""

    kind: str
    dtype: str
    warnings: tuple[str, ...] = ()


def choose(wanted: HardwareSection, available: frozenset[str]) -> Device:
    """The device that is asked for, or the CPU with a warning; pure."""
    dtype, warnings = _DTYPES[wanted.precision], []
    kind = wanted.device
    if kind == "auto":
        kind = next((k for k in ("cuda", "mps") if k in available), "cpu")
    elif kind != "cpu" and kind not in available:
        warnings.append(f"{kind} is not available here: training on the cpu, which is slower")
        kind = "cpu"
    if kind == "cpu" and dtype == "float16":
        warnings.append("float16 does not train on the cpu: the base is float32 instead")
        dtype = "float32"
    return Device(kind=kind, dtype=dtype, warnings=tuple(warnings))


def available() -> frozenset[str]:
    """The accelerators that torch can use here."""
    import torch  # noqa: PLC0415 - only where something is trained

    found = {"cuda"} if torch.cuda.is_available() else set()
    if torch.backends.mps.is_available():
        found.add("mps")
    return frozenset(found)


@contextmanager
def prepared(device: Device, wanted: HardwareSection) -> Iterator[None]:
    """Threads, memory fraction; on the CPU, deterministic kernels and an allocator that keeps.

    As before afterwards.
    """
    import torch  # noqa: PLC0415

    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    filling: Any = torch.utils.deterministic
    filled = filling.fill_uninitialized_memory
    if wanted.threads:
        torch.set_num_threads(wanted.threads)
    if device.kind == "cuda":
        torch.cuda.set_per_process_memory_fraction(wanted.memory_fraction)
    elif device.kind == "mps":
        torch.mps.set_per_process_memory_fraction(wanted.memory_fraction)
    else:
        torch.use_deterministic_algorithms(True)
        filling.fill_uninitialized_memory = False  # an eighth of the time, and nothing reads it
    try:
        with keeping_freed_memory() if device.kind == "cpu" else nullcontext():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        filling.fill_uninitialized_memory = filled
