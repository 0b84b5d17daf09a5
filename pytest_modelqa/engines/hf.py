"""transformers on torch: float32 on CPU by default; eager attention for one sequence at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from pytest_modelqa.core.answer import Answer, Description
from pytest_modelqa.core.comparison.templates import Conversation
from pytest_modelqa.core.errors import Refused, Unavailable
from pytest_modelqa.core.request import Generate, Request
from pytest_modelqa.engines.answering import answer, answer_batch
from pytest_modelqa.engines.base import Settings
from pytest_modelqa.engines.generation import Begin, Completion, Job, Steps
from pytest_modelqa.engines.hf_batch import batches
from pytest_modelqa.engines.hf_tokens import entries, rendered
from pytest_modelqa.engines.hf_trace import trace
from pytest_modelqa.engines.tracing import Watch
from pytest_modelqa.engines.vocabulary import Entries


class Transformers:
    """A safetensors folder opened by transformers. Never runs remote code, never unpickles."""

    def __init__(self, model: Any, tokenizer: Any, settings: Settings) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._settings = settings
        self._device = "cuda" if settings.backend == "gpu" else "cpu"
        trained = int(getattr(model.config, "max_position_embeddings", 0) or settings.n_ctx)
        self.n_ctx = min(settings.n_ctx, trained)
        self.n_ids = int(model.get_input_embeddings().weight.shape[0])
        self.bos_id = _id(tokenizer.bos_token_id)
        self.eos_id = _id(tokenizer.eos_token_id)

    @classmethod
    def open(cls, artifact: Path, settings: Settings) -> Self:
        """Load the folder. Raises Unavailable (no GPU), Refused (unknown, missing, misshapen)."""
        if settings.backend == "gpu" and not torch.cuda.is_available():
            raise Unavailable("torch sees no GPU", remedy="run on a machine with a CUDA device")
        torch.set_num_threads(settings.threads)
        _refuse_unknown_architecture(artifact)
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                artifact, local_files_only=True, trust_remote_code=False
            )
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                artifact,
                dtype=getattr(torch, settings.dtype),
                attn_implementation="eager",
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise Refused(
                f"transformers cannot load the model: {_first_line(error)}", where=str(artifact)
            ) from error
        model, info = loaded
        _refuse_gaps(info, artifact)
        engine = cls(model.eval(), tokenizer, settings)
        engine._model.to(engine._device)
        return engine

    def describe(self) -> Description:
        """Tell sizes, special ids and the template's hash."""
        template = self.template
        return Description(
            engine="transformers",
            build=f"transformers {transformers.__version__}, torch {torch.__version__}",
            architecture=str(self._model.config.model_type),
            backend=self._settings.backend,
            dtype=self._settings.dtype,
            threads=torch.get_num_threads(),
            n_vocab=int(self._model.get_output_embeddings().weight.shape[0]),
            n_ctx=self.n_ctx,
            n_ctx_train=int(getattr(self._model.config, "max_position_embeddings", 0) or 0),
            n_params=int(self._model.num_parameters()),
            bos_id=self.bos_id,
            eos_id=self.eos_id,
            pad_id=_id(self._tokenizer.pad_token_id),
            stop_ids=tuple(sorted(self.stop_ids)),
            template_sha256=hashlib.sha256(template.encode()).hexdigest() if template else "",
        )

    def use_threads(self, threads: int) -> None:
        """For all operators."""
        torch.set_num_threads(threads)

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        with self.computing():
            return answer(self, request, self._settings.arrays)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Eager attention, and no gradients."""
        self._attend("eager")
        with torch.inference_mode():
            yield

    def answer_batch(
        self, requests: Sequence[Generate], begin: Begin
    ) -> Iterator[tuple[int, Answer]]:
        """Answer generations in padded batches, with torch's fused attention."""
        self._attend("sdpa")
        with torch.inference_mode():
            yield from answer_batch(self, requests, begin)

    def batch(self, jobs: Mapping[int, Job], begin: Begin) -> Iterator[tuple[int, Completion]]:
        """Complete jobs in batches of similar length, in order of completion."""
        return batches(self._model, jobs, begin, memory_bytes=self._settings.memory_bytes)

    def _attend(self, how: str) -> None:
        if self._model.config._attn_implementation != how:
            self._model.set_attn_implementation(how)

    def close(self) -> None:
        """Drop the model."""
        del self._model

    def tokenize(self, text: str, *, begin: bool, special: bool) -> list[int]:
        """Text to ids."""
        encoded = self._tokenizer(
            text, add_special_tokens=begin, split_special_tokens=not special, verbose=False
        )
        return [int(i) for i in encoded["input_ids"]]

    def tokenize_all(
        self, texts: Sequence[str], *, begin: bool, special: bool
    ) -> Sequence[list[int]]:
        """Many texts to ids, each as `tokenize` does."""
        if not texts:
            return []
        encoded = self._tokenizer(
            list(texts), add_special_tokens=begin, split_special_tokens=not special, verbose=False
        )
        return [[int(i) for i in ids] for ids in encoded["input_ids"]]

    @cached_property
    def entries(self) -> Entries:
        """What each id of the tokenizer stands for."""
        return entries(self._tokenizer)

    def rendered_by_library(self, conversation: Conversation) -> str:
        """A conversation as the tokenizer renders it. Raises Refused."""
        return rendered(self._tokenizer, conversation)

    def decode(self, ids: Sequence[int], *, keep_special: bool) -> str:
        """Ids to text; a character cut off at the end is dropped, as llama.cpp's side does."""
        text = self._tokenizer.decode(
            list(ids), skip_special_tokens=not keep_special, clean_up_tokenization_spaces=False
        )
        return str(text) if keep_special else str(text).removesuffix("\ufffd")

    def sequence(self) -> Steps:
        """A new key-value cache."""
        cache: Any = None

        def feed(ids: list[int]) -> NDArray[np.float32]:
            nonlocal cache
            out = self._model(
                torch.tensor([ids], device=self._device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = out.past_key_values
            return _numpy(out.logits[0, -1])

        return feed

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits of every position: shape (len(ids), vocabulary)."""
        out = self._model(torch.tensor([ids], device=self._device), use_cache=False)
        return _numpy(out.logits[0])

    def logits_in(self, ids: Sequence[int], rows: int) -> Iterator[NDArray[np.float32]]:
        """Logits of every position, `rows` at a time over a key-value cache."""
        cache: Any = None
        for start in range(0, len(ids), rows):
            chunk = torch.tensor([[*ids[start : start + rows]]], device=self._device)
            out = self._model(chunk, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            yield _numpy(out.logits[0])

    def trace(self, ids: Sequence[int], watch: Watch) -> None:
        """Show every stage of one pass."""
        trace(self._model, ids, watch, device=self._device)

    @cached_property
    def template(self) -> str:
        """The tokenizer's chat template, or empty."""
        template = self._tokenizer.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        return template or ""

    @property
    def token_texts(self) -> dict[str, str]:
        """BOS, EOS and the like as text, for templates."""
        named = self._tokenizer.special_tokens_map.items()
        return {k: str(v) for k, v in named if isinstance(v, str)}

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """The generation configuration's EOS ids, and the tokenizer's."""
        configured = self._model.generation_config.eos_token_id
        listed = configured if isinstance(configured, list) else [configured]
        return frozenset(int(i) for i in (*listed, self._tokenizer.eos_token_id) if i is not None)

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """Every id that is no text."""
        return frozenset(self._tokenizer.all_special_ids)


def _refuse_unknown_architecture(artifact: Path) -> None:
    try:
        AutoConfig.from_pretrained(artifact, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        name = "?"
        config = artifact / "config.json"
        if config.is_file():
            name = json.loads(config.read_text()).get("model_type", "?")
        raise Refused(
            f"transformers {transformers.__version__} does not open model_type {name!r}: "
            f"{_first_line(error)}",
            where=str(artifact),
            remedy="python -m pip install --upgrade transformers",
        ) from error


def _refuse_gaps(info: dict[str, Any], artifact: Path) -> None:
    """Tensors that the file lacks would be filled with random numbers: that is another model."""
    for what in ("missing_keys", "mismatched_keys", "error_msgs"):
        if found := sorted(map(str, info.get(what) or [])):
            raise Refused(
                f"{len(found)} {what.replace('_', ' ')}, first {found[0]}", where=str(artifact)
            )


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.float().cpu().numpy()


def _id(value: int | None) -> int:
    return -1 if value is None else int(value)


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
