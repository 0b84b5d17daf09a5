"""llama.cpp with many sequences at once: continuous batches over streams that do not mix.

Each sequence has a KV cache of its own (`kv_unified = False`). In the unified cache attention runs
over everybody's cells, masked, and its blocks move with the neighbours: measured on SmolLM2, 16-way
answers then equal one-at-a-time ones for 18 of 40 prompts (Q8_0), with streams for 40 of 40; and
streams are faster.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Any

import llama_cpp as lc
import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.errors import Refused
from pytest_modelqa.engines.calibration import best
from pytest_modelqa.engines.generation import Begin, Completion, Job, common_prefix

UBATCH = 512
_BATCH = 2048
_LEAST_PREFIX = 8
"""Copying a cache costs about as much as decoding this many tokens of a small model."""

_LENGTH_STEP = 256
_CHOICES = (8, 16, 32, 64)
_CALIBRATION_STEPS = 3

Row = NDArray[np.float32]


class Streams:
    """`sequences` caches of `length` positions, and one more that holds what all prompts share."""

    def __init__(self, model: Any, *, sequences: int, length: int, threads: int) -> None:
        self.n_ids = int(lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(model)))
        self.batch_tokens = max(_BATCH, length + sequences)
        wanted = lc.llama_context_default_params()
        wanted.n_seq_max = sequences + 1
        wanted.n_ctx = length * (sequences + 1)
        wanted.n_batch, wanted.n_ubatch = self.batch_tokens, UBATCH
        wanted.n_threads = wanted.n_threads_batch = threads
        wanted.kv_unified = False
        self._context = lc.llama_init_from_model(model, wanted)
        if not self._context:
            raise Refused(f"llama.cpp cannot make {sequences} sequences of {length} tokens")
        self._memory = lc.llama_get_memory(self._context)
        self._batch = lc.llama_batch_init(self.batch_tokens, 0, 1)
        self._shared_slot = sequences
        self._filled = [0] * (sequences + 1)

    def share(self, prefix: list[int]) -> None:
        """Decode what every prompt begins with, once."""
        self.feed({self._shared_slot: prefix})

    def start(self, slot: int) -> None:
        """Empty a slot, but for the shared prefix."""
        self._copy(self._shared_slot, slot)

    def move(self, source: int, target: int) -> None:
        """Put a sequence where another ended: only neighbours are computed together."""
        self._copy(source, target)

    def _copy(self, source: int, target: int) -> None:
        lc.llama_memory_seq_rm(self._memory, target, -1, -1)
        if self._filled[source]:
            lc.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self._filled[target] = self._filled[source]

    def feed(self, ids_of: Mapping[int, list[int]]) -> dict[int, Row]:
        """Append ids to slots; the logits (n_vocab,) after the last id of each, as views."""
        batch = self._batch
        last = {}
        at = 0
        for slot, ids in ids_of.items():
            for token in ids:
                batch.token[at], batch.pos[at], batch.n_seq_id[at] = token, self._filled[slot], 1
                batch.seq_id[at][0] = slot
                batch.logits[at] = False
                self._filled[slot] += 1
                at += 1
            batch.logits[at - 1] = True
            last[slot] = at - 1
        batch.n_tokens = at
        if code := lc.llama_decode(self._context, batch):
            raise RuntimeError(f"llama_decode returned {code} on {at} tokens of {len(last)} slots")
        return {slot: self._row(i) for slot, i in last.items()}

    def _row(self, index: int) -> Row:
        pointer = lc.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(pointer, shape=(self.n_ids,))

    def close(self) -> None:
        """Free batch and context."""
        lc.llama_batch_free(self._batch)
        lc.llama_free(self._context)


def batches(
    model: Any, jobs: Mapping[int, Job], begin: Begin, *, threads: int, memory_bytes: int
) -> Iterator[tuple[int, Completion]]:
    """Complete jobs; those that need more room go to larger streams, of which fewer fit."""
    position = _bytes_of_a_position(model)
    by_length: dict[int, dict[int, Job]] = {}
    for index, job in jobs.items():
        by_length.setdefault(_length_for(job.room), {})[index] = job
    for length, group in sorted(by_length.items()):
        fitting = min(_CHOICES[-1], max(1, memory_bytes // (position * length) - 1))
        sequences = min(len(group), fitting)
        if sequences > _CHOICES[0]:
            sequences = min(sequences, _best_sequences(model, fitting, threads))
        streams = Streams(model, sequences=sequences, length=length, threads=threads)
        try:
            yield from _continuous(streams, sequences, group, begin)
        finally:
            streams.close()


def _best_sequences(model: Any, fitting: int, threads: int) -> int:
    """How many sequences decode the most tokens/s here, of those that fit."""

    def rate(sequences: int) -> float:
        streams = Streams(model, sequences=sequences, length=_LENGTH_STEP, threads=threads)
        try:
            step = {slot: [1] for slot in range(sequences)}
            streams.feed(step)
            start = perf_counter()
            for _ in range(_CALIBRATION_STEPS):
                streams.feed(step)
            return _CALIBRATION_STEPS * sequences / (perf_counter() - start)
        finally:
            streams.close()

    description = ctypes.create_string_buffer(256)
    lc.llama_model_desc(model, description, 256)
    subject = (
        "llama.cpp streams",
        description.value.decode("utf-8", "replace"),
        str(lc.llama_model_size(model)),
        lc.__version__,
        str(threads),
        str(fitting),
    )
    return best(subject, [n for n in _CHOICES if n <= fitting] or [1], rate)


def _length_for(positions: int) -> int:
    """256, 1024, 4096 ...: llama.cpp pads caches to 256."""
    length = _LENGTH_STEP
    while length < positions:
        length *= 4
    return length


def _bytes_of_a_position(model: Any) -> int:
    """Keys and values of all layers in float16, an upper bound where heads are shared."""
    heads = int(lc.llama_model_n_head(model))
    width = int(lc.llama_model_n_embd(model)) // max(1, heads)
    kept = int(lc.llama_model_n_head_kv(model)) * width
    return 2 * 2 * kept * int(lc.llama_model_n_layer(model))


def _continuous(
    streams: Streams, sequences: int, jobs: Mapping[int, Job], begin: Begin
) -> Iterator[tuple[int, Completion]]:
    """Each slot takes the next job as its sequence ends, in the order given."""
    shared = common_prefix([job.prompt for job in jobs.values()])
    if shared < _LEAST_PREFIX:
        shared = 0
    else:
        streams.share(next(iter(jobs.values())).prompt[:shared])
    waiting = deque(jobs.items())
    active: dict[int, tuple[int, Completion]] = {}
    while waiting or active:
        feeds = {slot: made.ids[-1:] for slot, (_, made) in active.items()}
        room = streams.batch_tokens - len(feeds)
        for slot in range(sequences):
            if slot in active or not waiting or len(waiting[0][1].prompt) - shared > room:
                continue
            index, job = waiting.popleft()
            begin(index)
            streams.start(slot)
            feeds[slot] = job.prompt[shared:]
            room -= len(feeds[slot])
            active[slot] = index, Completion(job)
        yield from _step(streams, active, feeds)
        if not waiting:
            _close_ranks(streams, active)


def _step(
    streams: Streams, active: dict[int, tuple[int, Completion]], feeds: Mapping[int, list[int]]
) -> Iterator[tuple[int, Completion]]:
    """Feed every active slot once; what ends leaves its slot."""
    start = perf_counter()
    rows = streams.feed(dict(sorted(feeds.items())))
    seconds = (perf_counter() - start) / sum(map(len, feeds.values()))
    for slot, row in rows.items():
        index, made = active[slot]
        if made.ids:
            made.decode_s += seconds
        else:
            made.prefill_s += seconds * len(feeds[slot])
        if not made.take(row):
            del active[slot]
            yield index, made


def _close_ranks(streams: Streams, active: dict[int, tuple[int, Completion]]) -> None:
    """Without gaps the slots are one block of the computation; each gap would make two of it."""
    for slot in sorted(active, reverse=True):
        free = next(i for i in range(slot + 1) if i == slot or i not in active)
        if free < slot:
            streams.move(slot, free)
            active[free] = active.pop(slot)
