"""The bare batched loop over llama.cpp that our fast mode is measured against.

Nothing but decoding: continuous batches with refill, what all prompts begin with is decoded once,
greedy. No isolation, no evidence, no check for NaN. `streams` gives each sequence a cache of its
own, `unified` lets all share one; the better of both counts. Prints a JSON object.
"""

from __future__ import annotations

import argparse
import ctypes
import json
from time import perf_counter
from typing import Any

import llama_cpp as lc
import numpy as np

from benchmarks.prompts import MAX_TOKENS, prompts, rendered

_LENGTH = 256
"""Positions of a sequence: prompts are below 100 ids; llama.cpp pads to 256 anyway."""

_BATCH = 2048


@lc.llama_log_callback
def _silent(*_: object) -> None:
    pass


class Loop:
    """A model, a context of `sequences` and one more that holds the shared prefix."""

    def __init__(self, path: str, *, sequences: int, unified: bool, threads: int) -> None:
        lc.llama_log_set(_silent, ctypes.c_void_p(0))
        lc.llama_backend_init()
        self.model = lc.llama_model_load_from_file(path.encode(), lc.llama_model_default_params())
        self.vocab = lc.llama_model_get_vocab(self.model)
        self.n_ids = lc.llama_vocab_n_tokens(self.vocab)
        wanted = lc.llama_context_default_params()
        wanted.n_ctx = (sequences + 1) * (_LENGTH // 2 if unified else _LENGTH)
        wanted.n_batch, wanted.n_ubatch = _BATCH, 512
        wanted.n_seq_max = sequences + 1
        wanted.n_threads = wanted.n_threads_batch = threads
        wanted.kv_unified = unified
        self.context = lc.llama_init_from_model(self.model, wanted)
        self.memory = lc.llama_get_memory(self.context)
        self.batch = lc.llama_batch_init(_BATCH, 0, 1)
        self.sequences = sequences

    def ids_of(self, text: str) -> list[int]:
        """A rendered prompt as ids."""
        data = text.encode()
        buffer = (lc.llama_token * (len(data) + 8))()
        count = lc.llama_tokenize(self.vocab, data, len(data), buffer, len(buffer), False, True)
        return list(buffer[:count])

    def text_of(self, ids: list[int]) -> str:
        """Ids as text, without a character that is cut off at the end."""
        buffer = ctypes.create_string_buffer(64 * len(ids) + 64)
        tokens = (lc.llama_token * len(ids))(*ids)
        size = lc.llama_detokenize(self.vocab, tokens, len(ids), buffer, len(buffer), False, False)
        return buffer.raw[:size].decode("utf-8", "ignore")

    def add(self, token: int, at: int, sequence: int, *, wanted: bool) -> int:
        """Put one id into the batch; its place there."""
        batch = self.batch
        i = int(batch.n_tokens)
        batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, at, 1
        batch.seq_id[i][0] = sequence
        batch.logits[i] = wanted
        batch.n_tokens = i + 1
        return i

    def decode(self) -> None:
        """Compute the batch."""
        if code := lc.llama_decode(self.context, self.batch):
            raise RuntimeError(f"llama_decode returned {code}")

    def likeliest(self, place: int) -> int:
        """Argmax of the logits after one place of the batch."""
        pointer = lc.llama_get_logits_ith(self.context, place)
        return int(np.ctypeslib.as_array(pointer, shape=(self.n_ids,)).argmax())

    def stops(self, token: int) -> bool:
        """Whether an id ends a generation."""
        return bool(lc.llama_vocab_is_eog(self.vocab, token))


def shared_length(rows: list[list[int]]) -> int:
    """How many ids all rows begin with, less than the shortest row."""
    first, last = min(rows), max(rows)
    most = min(map(len, rows)) - 1
    return next((k for k in range(most) if first[k] != last[k]), most)


def answers(loop: Loop, rows: list[list[int]]) -> dict[int, list[int]]:
    """The greedy ids of every row."""
    shared = shared_length(rows)
    loop.batch.n_tokens = 0
    for at in range(shared):
        loop.add(rows[0][at], at, loop.sequences, wanted=False)
    loop.decode()
    waiting, free = list(range(len(rows)))[::-1], list(range(loop.sequences))
    active: dict[int, tuple[int, int]] = {}
    made: dict[int, list[int]] = {}
    while waiting or active:
        loop.batch.n_tokens = 0
        places = {
            slot: loop.add(made[row][-1], at, slot, wanted=True)
            for slot, (row, at) in active.items()
        }
        while waiting and free and loop.batch.n_tokens < _BATCH - _LENGTH:
            slot, row = free.pop(0), waiting.pop()
            places[slot] = _start(loop, slot, rows[row], shared)
            active[slot] = row, len(rows[row]) - 1
            made[row] = []
        loop.decode()
        for slot, place in places.items():
            row, at = active[slot]
            token = loop.likeliest(place)
            stopped = loop.stops(token)
            if not stopped:
                made[row].append(token)
            active[slot] = row, at + 1
            if stopped or len(made[row]) == MAX_TOKENS:
                del active[slot]
                free.append(slot)
    return made


def _start(loop: Loop, slot: int, ids: list[int], shared: int) -> int:
    lc.llama_memory_seq_rm(loop.memory, slot, -1, -1)
    lc.llama_memory_seq_cp(loop.memory, loop.sequences, slot, -1, -1)
    for at in range(shared, len(ids)):
        place = loop.add(ids[at], at, slot, wanted=at == len(ids) - 1)
    return place


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--layout", choices=("streams", "unified"), required=True)
    for name in ("sequences", "count", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    args = parser.parse_args()
    start = perf_counter()
    loop = Loop(
        args.model,
        sequences=min(args.sequences, args.count),
        unified=args.layout == "unified",
        threads=args.threads,
    )
    loaded = perf_counter()
    made = answers(loop, [loop.ids_of(rendered(p)) for p in prompts(args.count)])
    texts = [loop.text_of(made[i]) for i in range(args.count)]
    seconds = perf_counter() - loaded
    result: dict[str, Any] = {
        "load_s": loaded - start,
        "answering_s": seconds,
        "tokens": sum(map(len, made.values())),
        "texts": texts,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
