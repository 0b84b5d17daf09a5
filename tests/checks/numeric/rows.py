"""Rows as sound measurements give them, and what is planted in the second of each."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pytest_modelqa.core.measuring import Value

_SOUND: dict[str, Value] = {
    "relative_error": 3e-9,
    "absolute_error": 2e-9,
    "largest": 0.7,
    "resolution": 4e-10,
}
HEALTHY: dict[str, list[dict[str, Value]]] = {
    "gradients": [
        {"name": "layer 0: input", "part": "layer 0", **_SOUND},
        {"name": "layer 0: q_proj.weight", "part": "layer 0", **_SOUND},
        {"name": "loss: lm_head.weight", "part": "loss", **_SOUND},
    ],
    "chaos": [
        {"name": "truncated", "outcome": "refused", "expected": "refused"},
        {"name": "deleted", "outcome": "refused", "expected": "refused"},
    ],
    "fuzz": [
        {"name": "h", "target": "header", "iterations": 100, "violations": 0, "crashes": 0},
        {"name": "s", "target": "sizes", "iterations": 100, "violations": 0, "crashes": 0},
    ],
    "memory": [
        {
            "name": "full: weights",
            "approach": "full",
            "kind": "weights",
            "planned_bytes": 4096,
            "measured_bytes": 4096,
        },
        {
            "name": "lora: peak",
            "approach": "lora",
            "kind": "peak",
            "planned_bytes": 100_000_000,
            "measured_bytes": 110_000_000,
        },
    ],
    "training": [
        {"name": "records", "value": 0, "least": None, "most": 0, "tested": 390, "reason": "390"},
        {"name": "leakage", "value": 0, "least": None, "most": 0, "tested": 20, "reason": "0 of"},
    ],
}

PLANTED: dict[str, list[tuple[Mapping[str, Value], str]]] = {
    "gradients": [
        ({"relative_error": 1.0, "absolute_error": 0.7}, "relative error 1.0e+00"),
        ({"relative_error": 2.0, "absolute_error": 1.4}, "relative error 2.0e+00"),
        ({"relative_error": 0.0099, "absolute_error": 0.007}, "1e-06 is allowed"),
        ({"relative_error": 1.1e-6, "absolute_error": 7.7e-7}, "1e-06 is allowed"),
        ({"relative_error": math.nan, "absolute_error": math.nan}, "not finite"),
        ({"largest": math.inf}, "not finite"),
    ],
    "chaos": [
        ({"outcome": "crashed"}, "ended as 'crashed', expected was 'refused'"),
        ({"outcome": None}, "ended as 'nothing'"),
        ({"outcome": "passed", "detail": "orphan 77"}, "orphan 77"),
    ],
    "fuzz": [
        ({"violations": 1, "example": "hidden=0"}, "1 violations, 0 crashes in 100 inputs, such"),
        ({"crashes": 2}, "0 violations, 2 crashes"),
        ({"crashes": math.nan}, "an unknown number of crashes"),
    ],
    "memory": [
        ({"measured_bytes": 130_000_000}, "15% allowed"),
        ({"planned_bytes": 1_000_000}, "15% allowed"),
        ({"planned_bytes": 0}, "one is not there"),
        ({"measured_bytes": math.nan}, "one is not there"),
        ({"kind": "packed"}, "1% allowed"),
        ({"kind": "weights", "measured_bytes": 100_000_001}, "0% allowed"),
    ],
    "training": [
        ({"value": 3, "reason": "3 of 20 held-out records are trained on"}, "3 of 20 held-out"),
        ({"value": math.nan, "reason": "odd"}, "odd"),
        ({"value": -1, "least": 0, "reason": "below"}, "below"),
        ({"most": math.nan, "reason": "a bound that is lost"}, "a bound that is lost"),
        ({"tested": math.nan, "reason": "who knows"}, "who knows"),
    ],
}
"""What the second row is changed to, and words of the reason: the controls of every gate here."""
