"""transformers with many sequences at once: batches of similar length, padded on the left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import torch
from transformers import DynamicCache

from pytest_modelqa.engines.generation import Begin, Completion, Job, common_prefix

_LARGEST = 128
"""More sequences gain nothing: measured on SmolLM2, two cores, 100 are hardly faster than 64."""

_LEAST_PREFIX = 8


class Row(NamedTuple):
    """A sequence of a batch: the number of its job, and what it has made so far."""

    number: int
    made: Completion


def batches(
    model: Any, jobs: Mapping[int, Job], begin: Begin, *, memory_bytes: int
) -> Iterator[tuple[int, Completion]]:
    """Complete jobs in padded batches, those of similar length together; yields as they end.

    The size of a batch is what `memory_bytes` of cache and logits hold.
    """
    shared = common_prefix([job.prompt for job in jobs.values()])
    prefix = next(iter(jobs.values())).prompt[:shared] if shared >= _LEAST_PREFIX else []
    order = sorted(jobs, key=lambda i: (len(jobs[i].prompt), jobs[i].request.max_tokens))
    for chunk in _chunks(order, _fitting(model, jobs, memory_bytes)):
        rows = [Row(i, Completion(jobs[i])) for i in chunk]
        for row in rows:
            begin(row.number)
        yield from _Batch(model, prefix, rows).run()


def _fitting(model: Any, jobs: Mapping[int, Job], memory_bytes: int) -> int:
    """Sequences whose cache and logits fit; the cache of a layer is keys and values."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    position = 2 * config.num_hidden_layers * heads * width * model.dtype.itemsize
    longest = max(job.room for job in jobs.values())
    each = longest * position + 8 * config.vocab_size
    return max(1, min(_LARGEST, int(memory_bytes // each)))


def _chunks(order: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """As few chunks as fit, of equal size."""
    count = -(-len(order) // size)
    even = -(-len(order) // count)
    for start in range(0, len(order), even):
        yield order[start : start + even]


class _Batch:
    """Rows that are decoded together; rows that ended leave the cache."""

    def __init__(self, model: Any, prefix: list[int], rows: list[Row]) -> None:
        self._model = model
        self._device = model.device
        self._rows = rows
        self._prefix = prefix
        self._cache = DynamicCache(config=model.config)

    def run(self) -> Iterator[tuple[int, Completion]]:
        """Prefill, then step until no row is left."""
        ids, mask = self._padded()
        while self._rows:
            start = perf_counter()
            logits = self._forward(ids, mask)
            seconds = perf_counter() - start
            kept = []
            for at, (row, values) in enumerate(zip(self._rows, logits, strict=True)):
                self._charge(row.made, seconds)
                if row.made.take(values):
                    kept.append(at)
                else:
                    yield row.number, row.made
            mask = self._keep(kept, mask)
            ids = torch.tensor([r.made.ids[-1:] for r in self._rows], device=self._device)

    def _padded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask of the prompts after the shared prefix, which is computed once."""
        if self._prefix:
            self._forward(torch.tensor([self._prefix], device=self._device), None)
            self._cache.batch_repeat_interleave(len(self._rows))
        tails = [row.made.job.prompt[len(self._prefix) :] for row in self._rows]
        width = max(map(len, tails))
        ids = torch.tensor([[0] * (width - len(t)) + t for t in tails], device=self._device)
        own = torch.tensor([[0] * (width - len(t)) + [1] * len(t) for t in tails])
        shared = torch.ones((len(tails), len(self._prefix)), dtype=own.dtype)
        return ids, torch.cat([shared, own], dim=1).to(self._device)

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor | None) -> Any:
        """Logits (rows, n_vocab) float32 after the last column."""
        positions = None
        if mask is not None:
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = self._model(
            ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1].float().cpu().numpy()

    def _charge(self, made: Completion, seconds: float) -> None:
        share = seconds / len(self._rows)
        if made.ids:
            made.decode_s += share
        else:
            made.prefill_s += share

    def _keep(self, kept: list[int], mask: torch.Tensor) -> torch.Tensor:
        """Drop the rows that ended; the mask grows by the id that each row was given."""
        if len(kept) < len(self._rows):
            self._rows = [self._rows[i] for i in kept]
            chosen = torch.tensor(kept, dtype=torch.long, device=self._device)
            if kept:
                self._cache.batch_select_indices(chosen)
            mask = mask[chosen]
        return torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
