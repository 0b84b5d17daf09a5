"""Engines whose batches have a planted defect; registered as an installed package registers one.

Imported in workers alone, by name: here stand the libraries that pytest's process never loads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from pytest_modelqa.engines import hf_batch, llamacpp_streams
from pytest_modelqa.engines.hf import Transformers
from pytest_modelqa.engines.llamacpp import LlamaCpp

_streams = llamacpp_streams.Streams


class _Few(_streams):
    """Healthy; six places, so that most of a small batch takes one that was used before."""

    def __init__(self, model: Any, *, sequences: int, length: int, threads: int) -> None:
        super().__init__(model, sequences=sequences, length=length, threads=threads)
        self.starts: dict[int, int] = {}

    def start(self, slot: int) -> None:
        self.starts[slot] = self.starts.get(slot, 0) + 1
        super().start(slot)


class _Swapped(_Few):
    """Two sequences get each other's logits."""

    def feed(self, ids_of: Mapping[int, list[int]]) -> dict[int, llamacpp_streams.Row]:
        rows = super().feed(ids_of)
        if 0 in rows and 1 in rows:
            rows[0], rows[1] = rows[1], rows[0]
        return rows


class _OffByOne(_Few):
    """In a place that is used again, the prompt starts one position late."""

    def feed(self, ids_of: Mapping[int, list[int]]) -> dict[int, llamacpp_streams.Row]:
        for slot, ids in ids_of.items():
            if len(ids) > 1 and self.starts.get(slot, 0) > 1:
                ids_of = {**ids_of, slot: [ids[0], *ids]}
        return super().feed(ids_of)


class _Unclean(_Few):
    """A place is used again without emptying it: the old text stays visible."""

    def start(self, slot: int) -> None:
        if self.starts.setdefault(slot, 0) == 0:
            super().start(slot)


def _with(streams: type[_streams]) -> type[LlamaCpp]:
    class Planted(LlamaCpp):
        def batch(self, *args: Any) -> Any:
            llamacpp_streams.Streams = streams  # type: ignore[misc]
            llamacpp_streams._CHOICES = (6,)  # type: ignore[assignment]
            return super().batch(*args)

    return Planted


Healthy = _with(_Few)
Swapped = _with(_Swapped)
OffByOne = _with(_OffByOne)
Unclean = _with(_Unclean)


class Gapped(Transformers):
    """After the prompt, every position is one too high."""

    def batch(self, *args: Any) -> Any:
        hf_batch._Batch = _GappedBatch  # type: ignore[misc]
        return super().batch(*args)


class _GappedBatch(hf_batch._Batch):
    def _forward(self, ids: torch.Tensor, mask: torch.Tensor | None) -> Any:
        if mask is not None and ids.shape[1] == 1:
            model, at = self._model, mask.sum(1, keepdim=True)
            out = model(
                ids, attention_mask=mask, position_ids=at, past_key_values=self._cache,
                use_cache=True, logits_to_keep=1,
            )  # fmt: skip
            return out.logits[:, -1].float().cpu().numpy()
        return super()._forward(ids, mask)
