"""A short measurement, made once for a machine and a model, and remembered."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.core.ids import content_key

BUDGET_S = 5.0
"""What a calibration may cost before the best so far is taken."""

_WORTH = 1.05
"""More sequences must bring five per cent: they take memory, and their last ones run alone."""


def best(subject: Iterable[str], choices: Iterable[int], rate: Callable[[int], float]) -> int:
    """The choice with the highest rate (tokens/s), of those tried in order until it sinks.

    `subject` names what is measured: model, build, threads. A cache that cannot be read or
    written costs the measurement again.
    """
    file = cache_root() / "calibration" / f"{content_key([*subject, *_machine()])}.json"
    with suppress(OSError, ValueError, KeyError):
        return int(json.loads(file.read_text())["best"])
    start = perf_counter()
    chosen, highest, rates = 1, 0.0, {}
    for choice in choices:
        rates[choice] = rate(choice)
        if rates[choice] > highest * _WORTH:
            chosen, highest = choice, rates[choice]
        elif rates[choice] < highest or perf_counter() - start > BUDGET_S:
            break
    _remember(file, {"best": chosen, "tokens_per_s": rates, "subject": [*subject]})
    return chosen


def _remember(file: Path, found: dict[str, object]) -> None:
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(found))
        part.replace(file)


def _machine() -> list[str]:
    """What a processor is known by: its features and count, no host name."""
    cpu = ""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = "".join(sorted({x for x in lines if x.startswith(("model name", "flags"))}))
    return [platform.machine(), cpu, str(os.cpu_count())]
