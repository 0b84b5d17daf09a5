"""Which gates blocks decide. What a check decides is tested to be what stands here."""

from __future__ import annotations


def default_gate(name: str) -> str:
    """The gate of a block that names none: `F-TENSOR-DIFF`."""
    return f"F-{name.upper().replace('_', '-')}"


def harness_gate(name: str) -> str:
    """The gate of a harness of the ship gates: `F-SHIP-PDCA-SCHEMA`."""
    return default_gate(f"ship_{name}")


CANARY_GATE = "F-CANARY"
"""The gate of all canaries."""

USUAL_GATES: dict[str, tuple[str, ...]] = {
    "parity": ("F-PARITY",),
    "format_validation": ("F-APR-FORMAT-001", "F-APR-FORMAT-002", "F-APR-FORMAT-003"),
    "tensor_diff": ("F-ROSETTA-DIFF-001", "F-ROSETTA-DIFF-002", "F-TENSOR-DIFF"),
    "inference_compare": ("F-ROSETTA-INF-001", "F-ROSETTA-INF-002"),
    "fingerprint": ("F-ROSETTA-FP-001", "F-ROSETTA-FP-002", "F-ROSETTA-FP-003"),
    "validate_stats": tuple(f"F-ROSETTA-STATS-00{n}" for n in range(1, 7)),
    "trace_payload": ("F-TRACE-PAYLOAD-001", "F-TRACE-PAYLOAD-002"),
    **{name: (default_gate(name),) for name in ("gradients", "chaos", "fuzz", "memory")},
    "training": tuple(f"F-TRAINING-{stage}" for stage in ("DATA", "RUN", "MERGE", "GGUF")),
}
"""What a block decides where it names no gates; of any other block it is `default_gate`."""

PART_GATES: dict[str, tuple[str, ...]] = {
    "parity": (
        "F-PARITY-TOKENIZER",
        "F-PARITY-TEMPLATE",
        "F-PARITY-CONFIG",
        "F-PARITY-TENSORS",
        "F-PARITY-LOGITS",
        "F-PARITY-GREEDY",
        "F-PARITY-TRACE",
        "F-PARITY-ORDER",
    ),
}
"""What the parts of a block decide, whatever it names."""
