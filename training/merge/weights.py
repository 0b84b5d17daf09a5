"""The merge itself, by peft; and a 4-bit base made float again. Loaded only by a merge."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from pytest_modelqa.artifacts.convert.kinds import SIDE_FILES
from pytest_modelqa.artifacts.hashing import file_names
from training import probes
from training.adapters import Adapter
from training.bases import settings_of
from training.distances import summary
from training.merge.measured import Divergence
from training.weights import adapted, four_bits, load, probe_rows, with_and_without

_WRITTEN_ANEW = "config.json"


def merged_into(base: Path, adapter: Adapter, folder: Path, dtype: str) -> None:
    """Write the merged model of base and adapter, with all of the base's files."""
    merged: Any = adapted(base, adapter).merge_and_unload(safe_merge=True)
    merged.to(getattr(torch, dtype)).save_pretrained(folder)
    carry(base, folder)


def carry(base: Path, folder: Path) -> None:
    """Copy tokenizer, template and generation settings; hidden files and weights are not among."""
    for name in file_names(base):
        if name in SIDE_FILES and name != _WRITTEN_ANEW:
            shutil.copyfile(base / name, folder / name)


def dequantised(base: Path, folder: Path) -> Path:
    """Write a float32 copy of what the base is in 4 bits (NF4 where it does not say how)."""
    more: dict[str, Any] = {}
    if "quantization_config" not in settings_of(base):
        more["quantization_config"] = four_bits("float32")
    model: Any = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, local_files_only=True, **more
    )
    model.dequantize().to(torch.float32).save_pretrained(folder)
    config = settings_of(folder)
    config.pop("quantization_config", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    carry(base, folder)
    return folder


def divergence(base: Path, adapter: Adapter, merged: Path) -> Divergence:
    """How far base and merged model are from the adapted one, at every position of the probes."""
    rows = probe_rows(base)
    wanted, before = with_and_without(adapted(base, adapter), rows)
    after = probes.log_probabilities(load(merged), rows)
    return Divergence(
        of_base=summary(probes.divergences(wanted, before)),
        of_merged=summary(probes.divergences(wanted, after)),
    )
