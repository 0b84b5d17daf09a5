"""All checks of a GGUF file against the merged model that it was made of."""

from __future__ import annotations

import math
from pathlib import Path

from pytest_modelqa.artifacts.quantised import Quantised, examine
from pytest_modelqa.core.errors import Unavailable
from training.conversion import carried
from training.distances import Distances
from training.findings import Finding, failed, too_few
from training.quiet import quiet

BUDGETS = {
    "f32": 1e-6,
    "bf16": 5e-3,
    "f16": 1e-4,
    "q8_0": 0.02,
    "q6_k": 0.1,
    "q5_k_m": 0.3,
    "q5_k_s": 0.3,
    "q5_1": 0.3,
    "q5_0": 0.3,
}
"""Mean KL divergence from the merged model, nats a position, that storing its weights may cost."""
_FEW_BITS = 0.5
"""The same for four bits and less."""


def verify(base: Path, merged: Path, file: Path, quantisation: str) -> list[Finding]:
    """Template, vocabulary, types, and what the file's weights compute.

    Raises Refused where the file is no GGUF that can be read.
    """
    found = [*carried(merged, file), _types(examine(file, quantisation))]
    from training.weights import between, load, load_gguf, probe_rows  # noqa: PLC0415 - torch

    try:
        with quiet():
            served, rows = load_gguf(file), probe_rows(merged)
            kept = between(load(merged), served, rows)
            back = between(load(base), served, rows)
    except Unavailable as error:
        return [*found, too_few("gguf-logits", str(error))]
    return [*found, *logits(kept, back, BUDGETS.get(quantisation, _FEW_BITS))]


def _types(seen: Quantised) -> Finding:
    """Bits a weight, within what the asked type allows for these tensors."""
    bits = seen.mix.bits_per_weight
    if seen.problem:
        return failed("file-type", seen.problem)
    types = ", ".join(f"{name} {size:,} bytes" for name, size in seen.mix.bytes.items())
    nominal = f"; {seen.declared} in name only" if seen.nominal else ""
    return Finding(
        check="file-type",
        value=bits,
        least=seen.lowest,
        most=seen.highest,
        tested=sum(seen.mix.tensors.values()),
        reason=f"{bits:.3f} bits per weight: {types}{nominal}",
    )


def logits(kept: Distances, back: Distances, budget: float) -> list[Finding]:
    """How far the file is from the merged model, and whether the base is what it is nearer to."""
    ratio = kept.mean / back.mean if back.mean > 0 else math.inf
    nearer = "the base was shipped in place of the merged model: " if ratio >= 1 else ""
    return [
        Finding(
            check="gguf-logits",
            value=kept.mean,
            most=budget,
            tested=kept.positions,
            reason=f"KL from the merged model {kept.mean:.3g} nats on average, {kept.largest:.3g} "
            f"at most, over {kept.positions} positions; the budget is {budget:g} on average",
        ),
        Finding(
            check="gguf-not-base",
            value=ratio,
            most=math.nextafter(1, 0),
            tested=back.positions,
            reason=f"{nearer}{kept.mean:.3g} nats from the merged model, {back.mean:.3g} from "
            "the base",
        ),
    ]
