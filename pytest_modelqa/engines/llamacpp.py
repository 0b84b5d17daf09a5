"""llama.cpp through llama-cpp-python's low-level interface.

Not through `Llama.create_completion`: with `echo` its log-probabilities are off by one position.
"""

from __future__ import annotations

import codecs
import ctypes
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import llama_cpp as lc
import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.answer import Answer, Description
from pytest_modelqa.core.comparison.templates import Conversation
from pytest_modelqa.core.errors import Refused, Unavailable
from pytest_modelqa.core.request import Generate, Request
from pytest_modelqa.engines.answering import answer, answer_batch
from pytest_modelqa.engines.base import Settings
from pytest_modelqa.engines.generation import Begin, Completion, Job, Steps
from pytest_modelqa.engines.llamacpp_streams import batches
from pytest_modelqa.engines.llamacpp_tokens import entries, rendered
from pytest_modelqa.engines.llamacpp_trace import trace
from pytest_modelqa.engines.tracing import Watch
from pytest_modelqa.engines.vocabulary import Entries

_BATCH = 512
_AMX = b"AMX_INT8 = 1"
"""Of a build that lays weights out for tiles. Compiled by gcc 11 or 12 its first answer is a
segmentation fault: the tiles' configuration is optimised away (llama.cpp #20824, #26954). Such a
build is told to leave weights as the file has them.
"""
_LOG: list[str] = []


@lc.llama_log_callback  # type: ignore[untyped-decorator]
def _log(_level: int, text: bytes, _data: Any) -> None:
    line = text.decode("utf-8", "replace")
    _LOG.append(line)
    del _LOG[:-200]
    sys.stderr.write(line)


class LlamaCpp:
    """A GGUF file opened by llama.cpp: one context for one sequence; batches have their own."""

    def __init__(self, artifact: Path, model: Any, context: Any, settings: Settings) -> None:
        self._artifact = artifact
        self._model = model
        self._context = context
        self._settings = settings
        self._threads = settings.threads
        self._vocab = lc.llama_model_get_vocab(model)
        self.n_ids = int(lc.llama_vocab_n_tokens(self._vocab))
        self.n_ctx = int(lc.llama_n_ctx(context))
        self.bos_id = int(lc.llama_vocab_bos(self._vocab))
        self.eos_id = int(lc.llama_vocab_eos(self._vocab))
        self._batch = lc.llama_batch_init(_BATCH, 0, 1)

    @classmethod
    def open(cls, artifact: Path, settings: Settings) -> Self:
        """Load the file. Raises Unavailable (no GPU build), Refused (llama.cpp says no)."""
        gpu = settings.backend == "gpu"
        if gpu and not lc.llama_supports_gpu_offload():
            raise Unavailable(
                "this build of llama.cpp sees no GPU",
                remedy="install a CUDA or Metal build of llama-cpp-python on a machine with a GPU",
            )
        lc.llama_log_set(_log, ctypes.c_void_p(0))
        lc.llama_backend_init()
        parameters = lc.llama_model_default_params()
        parameters.n_gpu_layers = 999 if gpu else 0
        parameters.use_extra_bufts = _AMX not in lc.llama_print_system_info()
        model = lc.llama_model_load_from_file(str(artifact).encode(), parameters)
        if not model:
            raise Refused(f"llama.cpp cannot load the model: {_last_error()}", where=str(artifact))
        trained = int(lc.llama_model_n_ctx_train(model))
        wanted = lc.llama_context_default_params()
        wanted.n_ctx = min(settings.n_ctx, trained) if trained > 0 else settings.n_ctx
        wanted.n_batch = wanted.n_ubatch = _BATCH
        wanted.n_seq_max = 1
        wanted.n_threads = wanted.n_threads_batch = settings.threads
        context = lc.llama_init_from_model(model, wanted)
        if not context:
            raise Refused(f"llama.cpp cannot make a context: {_last_error()}", where=str(artifact))
        return cls(artifact, model, context, settings)

    def describe(self) -> Description:
        """Tell sizes, special ids and the template's hash."""
        template = self.template
        return Description(
            engine="llamacpp",
            build=f"llama-cpp-python {lc.__version__}",
            architecture=self._meta("general.architecture"),
            backend=self._settings.backend,
            dtype=self._description_text(),
            threads=self._threads,
            n_vocab=self.n_ids,
            n_ctx=self.n_ctx,
            n_ctx_train=int(lc.llama_model_n_ctx_train(self._model)),
            n_params=int(lc.llama_model_n_params(self._model)),
            bos_id=self.bos_id,
            eos_id=self.eos_id,
            pad_id=int(lc.llama_vocab_pad(self._vocab)),
            stop_ids=tuple(sorted(self.stop_ids)),
            template_sha256=hashlib.sha256(template.encode()).hexdigest() if template else "",
        )

    def use_threads(self, threads: int) -> None:
        """For prompts and decoding; results do not depend on it (rows are not split)."""
        self._threads = threads
        lc.llama_set_n_threads(self._context, threads, threads)

    def computing(self) -> AbstractContextManager[None]:
        """llama.cpp needs nothing around it."""
        return nullcontext()

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        return answer(self, request, self._settings.arrays)

    def answer_batch(
        self, requests: Sequence[Generate], begin: Begin
    ) -> Iterator[tuple[int, Answer]]:
        """Answer generations in continuous batches."""
        return answer_batch(self, requests, begin)

    def batch(self, jobs: Mapping[int, Job], begin: Begin) -> Iterator[tuple[int, Completion]]:
        """Complete jobs over streams, in order of completion."""
        return batches(
            self._model,
            jobs,
            begin,
            threads=self._threads,
            memory_bytes=self._settings.memory_bytes,
        )

    def close(self) -> None:
        """Free batch, context and model."""
        lc.llama_batch_free(self._batch)
        lc.llama_free(self._context)
        lc.llama_model_free(self._model)

    def sequence(self) -> Steps:
        """The context, cleared; there is one sequence at a time."""
        lc.llama_memory_clear(lc.llama_get_memory(self._context), True)
        position = 0

        def feed(ids: list[int]) -> NDArray[np.float32]:
            nonlocal position
            rows = self._decode_ids(ids, position, every=False)
            position += len(ids)
            return rows[-1]

        return feed

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits of every position: shape (len(ids), vocabulary)."""
        lc.llama_memory_clear(lc.llama_get_memory(self._context), True)
        return np.stack(self._decode_ids(ids, 0, every=True))

    def logits_in(self, ids: Sequence[int], rows: int) -> Iterator[NDArray[np.float32]]:
        """Logits of every position, decoded `rows` at a time: llama.cpp holds no more than that."""
        lc.llama_memory_clear(lc.llama_get_memory(self._context), True)
        for start in range(0, len(ids), rows):
            yield np.stack(self._decode_ids([*ids[start : start + rows]], start, every=True))

    def trace(self, ids: Sequence[int], watch: Watch) -> None:
        """Show every stage of one pass, in a context of its own."""
        trace(self._model, ids, watch, threads=self._threads)

    def _decode_ids(self, ids: list[int], start: int, *, every: bool) -> list[NDArray[np.float32]]:
        """Append ids at positions from `start`; logits (n_vocab,) of every one, or of the last."""
        rows = []
        batch = self._batch
        for first in range(0, len(ids), _BATCH):
            chunk = ids[first : first + _BATCH]
            batch.n_tokens = len(chunk)
            for i, token in enumerate(chunk):
                at = first + i
                batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, start + at, 1
                batch.seq_id[i][0] = 0
                batch.logits[i] = every or at == len(ids) - 1
            if code := lc.llama_decode(self._context, batch):
                raise RuntimeError(f"llama_decode returned {code} at position {start + first}")
            rows += [self._row(i) for i in range(len(chunk)) if batch.logits[i]]
        return rows

    def _row(self, index: int) -> NDArray[np.float32]:
        pointer = lc.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(pointer, shape=(self.n_ids,)).copy()

    def tokenize(self, text: str, *, begin: bool, special: bool) -> list[int]:
        """Text to ids."""
        data = text.encode()
        room = len(data) + 8
        buffer = (lc.llama_token * room)()
        count = lc.llama_tokenize(self._vocab, data, len(data), buffer, room, begin, special)
        if count < 0:
            raise RuntimeError(f"llama_tokenize asks for {-count} ids of {len(data)} bytes")
        return list(buffer[:count])

    def tokenize_all(
        self, texts: Sequence[str], *, begin: bool, special: bool
    ) -> Sequence[list[int]]:
        """Many texts to ids, each as `tokenize` does."""
        return [self.tokenize(text, begin=begin, special=special) for text in texts]

    @cached_property
    def entries(self) -> Entries:
        """What each id stands for."""
        return entries(self._vocab, self._artifact)

    def rendered_by_library(self, conversation: Conversation) -> str:
        """A conversation as llama.cpp's own renderer writes it. Raises Refused."""
        return rendered(self.template, conversation)

    def decode(self, ids: Sequence[int], *, keep_special: bool) -> str:
        """Ids to text; a character cut off at the end is dropped, not replaced."""
        if not ids:
            return ""
        tokens = (lc.llama_token * len(ids))(*ids)
        room = 32 * len(ids) + 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = lc.llama_detokenize(
                self._vocab, tokens, len(ids), buffer, room, False, keep_special
            )
            if count >= 0:
                decoder = codecs.getincrementaldecoder("utf-8")("replace")
                return decoder.decode(buffer.raw[:count], final=False)
            room = -count

    @property
    def token_texts(self) -> dict[str, str]:
        """BOS and EOS as text, for templates."""
        return {"bos_token": self._text_of(self.bos_id), "eos_token": self._text_of(self.eos_id)}

    def _text_of(self, token: int) -> str:
        return lc.llama_vocab_get_text(self._vocab, token).decode() if token >= 0 else ""

    @cached_property
    def template(self) -> str:
        """The chat template that the file carries, or empty."""
        template = lc.llama_model_chat_template(self._model, None)
        return template.decode() if template else ""

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Every id that llama.cpp takes for an end of generation."""
        return frozenset(i for i in range(self.n_ids) if lc.llama_vocab_is_eog(self._vocab, i))

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """Every id that is no text."""
        return frozenset(i for i in range(self.n_ids) if lc.llama_vocab_is_control(self._vocab, i))

    def _meta(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(256)
        lc.llama_model_meta_val_str(self._model, key.encode(), buffer, 256)
        return buffer.value.decode("utf-8", "replace")

    def _description_text(self) -> str:
        buffer = ctypes.create_string_buffer(256)
        lc.llama_model_desc(self._model, buffer, 256)
        return buffer.value.decode("utf-8", "replace")


def _last_error() -> str:
    """What llama.cpp logged about the failure: its `error`/`failed` lines, else the last one."""
    lines = [line.strip() for line in "".join(_LOG).splitlines() if line.strip(" .")]
    telling = [line for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return " | ".join((telling or lines or ["no message"])[-3:])
