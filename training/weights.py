"""Models with and without an adapter, and how far they lie apart. Imports torch: loaded late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from pytest_modelqa.core.errors import Unavailable, missing_extra
from training import probes
from training.adapters import Adapter
from training.distances import Distances, summary


def load(folder: Path) -> Any:
    """A folder's model in float32, in evaluation mode."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)


def load_gguf(file: Path) -> Any:
    """A GGUF file's weights in float32, whatever they are stored in, by transformers' reader.

    Raises Unavailable where transformers does not know the file's architecture or types.
    """
    try:
        return AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float32, local_files_only=True
        )
    except (ValueError, KeyError, NotImplementedError) as error:
        raise Unavailable(
            f"transformers cannot read its weights: {error}",
            where=str(file),
            remedy="compare it by the block `parity`, which asks llama.cpp",
        ) from error


def between(reference: Any, other: Any, rows: list[list[int]]) -> Distances:
    """How far two models lie apart over all positions of `rows`."""
    wanted = probes.log_probabilities(reference, rows)
    return summary(probes.divergences(wanted, probes.log_probabilities(other, rows)))


def adapted(base: Path, adapter: Adapter) -> Any:
    """The base in float32 with the adapter on it."""
    return PeftModel.from_pretrained(load(base), str(adapter.folder))


def effect(base: Path, adapter: Adapter) -> Distances:
    """How far the base is from the adapted model."""
    model, rows = adapted(base, adapter), probe_rows(base)
    wanted, before = with_and_without(model, rows)
    return summary(probes.divergences(wanted, before))


def with_and_without(model: Any, rows: list[list[int]]) -> tuple[list[Any], list[Any]]:
    """Log-probabilities of the adapted model, and of its base."""
    wanted = probes.log_probabilities(model, rows)
    with model.disable_adapter():
        return wanted, probes.log_probabilities(model, rows)


def probe_rows(folder: Path) -> list[list[int]]:
    """The probe texts as ids of a folder's tokenizer."""
    return probes.token_ids(AutoTokenizer.from_pretrained(folder, local_files_only=True))


def four_bits(dtype: str) -> Any:
    """NF4 with double quantisation, computing in `dtype`. Raises Unavailable."""
    try:
        import bitsandbytes  # noqa: F401, PLC0415
    except ImportError as error:
        raise missing_extra("4 bits (NF4)", "bitsandbytes", "train") from error
    settings: Any = BitsAndBytesConfig
    return settings(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )
