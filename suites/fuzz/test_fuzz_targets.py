"""Each target for a while, from the seed of the run: nightly runs take more, see docs/fuzz.md."""

from __future__ import annotations

import pytest

from suites.conftest import Record
from suites.fuzz.targets import fuzz
from suites.property.seeds import SEED

pytestmark = [pytest.mark.tier3, pytest.mark.stab, pytest.mark.usefixtures("one_thread")]

ITERATIONS = {
    "parameter_calc": 50_000, "tensor_ops": 50_000, "lora_config": 50_000, "gguf": 400,
    "safetensors": 300, "apr": 400, "lockfile": 600, "playbook": 80, "template": 80,
}  # fmt: skip


@pytest.mark.parametrize("target", ITERATIONS)
def test_nothing_breaks(target: str, row: Record) -> None:
    outcome = fuzz(target, ITERATIONS[target], SEED)
    row("fuzz", {
        "target": target,
        "seed": SEED,
        "iterations": outcome.iterations,
        "invariants": len(outcome.checked),
        "checked": sum(outcome.checked.values()),
        "violations": outcome.violations,
        "seconds": outcome.seconds,
    })  # fmt: skip
    assert outcome.passed, "\n".join(outcome.lines())
    assert outcome.iterations == ITERATIONS[target]
