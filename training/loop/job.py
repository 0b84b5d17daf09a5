"""Everything that a run is made of, once it is found and checked."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.bases import Base
from training.config import TrainingConfig
from training.data import Prepared
from training.loop.device import Device

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors")
STAMP = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run to make, or to go on with where `checkpoint` is given."""

    config: TrainingConfig
    base: Base
    device: Device
    tokenizer: Any
    prepared: Prepared
    facts: Mapping[str, Any]
    part: Path
    checkpoint: Path | None = None


def facts_of(
    config: TrainingConfig, base: Base, prepared: Prepared, device: Device
) -> dict[str, Any]:
    """What `run.json` says: all that the result depends on."""
    return {
        "config": values_of(config),
        "config_sha256": config.sha256,
        "base": {"source": base.source, "folder": str(base.folder), "sha256": base.sha256},
        "data": {"sha256": prepared.data.sha256, "samples": len(prepared.train.samples)},
        "device": {"kind": device.kind, "dtype": device.dtype},
        "versions": {name: version(name) for name in LIBRARIES},
        "started": time.strftime(STAMP, time.gmtime()),
    }


def values_of(config: TrainingConfig) -> dict[str, Any]:
    """The configuration as its file has it, with all defaults."""
    found = dataclasses.asdict(config)
    values = {key: value for key, value in found.items() if key not in {"path", "sha256"}}
    read_back: dict[str, Any] = json.loads(json.dumps(values))  # lists for tuples
    return read_back


def optimizer_steps(config: TrainingConfig, sequences: int) -> int:
    """How many steps a run makes over `sequences` of an epoch, as the Trainer counts them.

    An epoch's last batches make a step of their own, however few they are.
    """
    t = config.training
    if t.max_steps:
        return t.max_steps
    batches = -(-sequences // t.batch_size)
    an_epoch = max(1, -(-batches // t.gradient_accumulation_steps))
    return -(-int(t.epochs * an_epoch * 1_000_000) // 1_000_000)
