"""All targets by name: those that compute, and the readers. Each is imported when it is run."""

from __future__ import annotations

from importlib import import_module

from pytest_modelqa.core.errors import UsageError, missing_extra
from suites.fuzz.outcome import Outcome

NUMERIC = {
    "parameter_calc": "suites.fuzz.parameter_calc",
    "tensor_ops": "suites.fuzz.tensor_ops",
    "lora_config": "suites.fuzz.lora_config",
}
SHARES = {
    "gguf": 25, "safetensors": 25, "apr": 20, "lockfile": 15, "template": 10, "playbook": 5,
}  # fmt: skip
"""The readers, and how many of 100 files each gets where `readers` are fuzzed together: a playbook
takes ten times as long as a lockfile."""
READERS = "readers"
NAMES = (*NUMERIC, *SHARES, READERS)


def runs(name: str, iterations: int) -> list[tuple[str, int]]:
    """The targets of a name, each with its iterations. Raises UsageError for an unknown name."""
    if name == READERS:
        return [(each, max(1, iterations * share // 100)) for each, share in SHARES.items()]
    if name not in NAMES:
        raise UsageError(f"no target is called {name!r}", remedy=f"one of: {', '.join(NAMES)}")
    return [(name, iterations)]


def fuzz(name: str, iterations: int, seed: int) -> Outcome:
    """Run one target. Raises UsageError, Unavailable where its library is not installed."""
    if name in SHARES:
        from suites.fuzz import supervise  # noqa: PLC0415 - loaded for readers alone

        return supervise.fuzz(name, iterations, seed)
    from suites.fuzz import numeric  # noqa: PLC0415 - numpy

    try:
        target = import_module(NUMERIC[name]).TARGET
    except ImportError as error:
        raise missing_extra(f"the target {name}", str(error.name), "all") from error
    return numeric.fuzz(target, iterations, seed)
