"""transformers on torch: eager attention, float32 on CPU by default, one sequence at a time."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from pytest_modelqa.core.answer import (
    Answer,
    Description,
    Failure,
    Generation,
    Logits,
    Rendered,
    TokenIds,
)
from pytest_modelqa.core.errors import Refused, Unavailable
from pytest_modelqa.core.request import (
    Describe,
    Generate,
    RenderChat,
    Request,
    ScoreLogits,
    Tokenize,
)
from pytest_modelqa.engines.arrays import keep_logits
from pytest_modelqa.engines.base import Settings
from pytest_modelqa.engines.generation import generate, too_long
from pytest_modelqa.engines.template import render


class Transformers:
    """A safetensors folder opened by transformers. Never runs remote code, never unpickles."""

    def __init__(self, model: Any, tokenizer: Any, settings: Settings) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._settings = settings
        self._device = "cuda" if settings.backend == "gpu" else "cpu"
        trained = int(getattr(model.config, "max_position_embeddings", 0) or settings.n_ctx)
        self._n_ctx = min(settings.n_ctx, trained)

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
        template = self._template
        tokenizer = self._tokenizer
        return Description(
            engine="transformers",
            build=f"transformers {transformers.__version__}, torch {torch.__version__}",
            architecture=str(self._model.config.model_type),
            backend=self._settings.backend,
            dtype=self._settings.dtype,
            threads=self._settings.threads,
            n_vocab=int(self._model.get_output_embeddings().weight.shape[0]),
            n_ctx=self._n_ctx,
            n_ctx_train=int(getattr(self._model.config, "max_position_embeddings", 0) or 0),
            n_params=int(self._model.num_parameters()),
            bos_id=_id(tokenizer.bos_token_id),
            eos_id=_id(tokenizer.eos_token_id),
            pad_id=_id(tokenizer.pad_token_id),
            stop_ids=tuple(sorted(self._stop_ids)),
            template_sha256=hashlib.sha256(template.encode()).hexdigest() if template else "",
        )

    def answer(self, request: Request) -> Answer:
        """Answer one request, without state from earlier ones."""
        with torch.inference_mode():
            match request:
                case Describe():
                    return self.describe()
                case Tokenize():
                    ids = self._tokenize(request.text, begin=False, special=request.special)
                    return TokenIds(ids=tuple(ids), decoded=self._decode(ids, keep_special=True))
                case RenderChat():
                    text = self._render(request.messages, request.add_generation_prompt)
                    return Rendered(text=text)
                case Generate():
                    return self._generate(request)
                case ScoreLogits():
                    return self._score(request)
                case _:
                    raise TypeError(f"transformers does not answer {type(request).__name__}")

    def close(self) -> None:
        """Drop the model."""
        del self._model

    def _generate(self, request: Generate) -> Generation | Failure:
        if request.prompt is not None:
            prompt = self._tokenize(request.prompt, begin=True, special=True) or self._beginning()
        else:
            text = self._render(request.messages, add_generation_prompt=True)
            prompt = self._tokenize(text, begin=False, special=True)
        if len(prompt) >= self._n_ctx:
            return too_long(len(prompt), self._n_ctx)
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

        loop = generate(feed, prompt, request, stop_ids=self._stop_ids, n_ctx=self._n_ctx)
        special = set(self._tokenizer.all_special_ids)
        text = self._decode(loop.ids, keep_special=False)
        return Generation(
            prompt_tokens=len(prompt),
            ids=tuple(loop.ids),
            # A character that max_tokens cut in two is dropped, as llama.cpp's side does.
            text=text if loop.finish == "stop" else text.removesuffix("\ufffd"),
            finish=loop.finish,
            nonfinite_steps=loop.nonfinite_steps,
            special_ids=sum(i in special for i in loop.ids),
            prefill_s=loop.prefill_s,
            decode_s=loop.decode_s,
        )

    def _score(self, request: ScoreLogits) -> Logits | Failure:
        ids = list(request.ids) or self._tokenize(request.text, begin=True, special=True)
        if len(ids) > self._n_ctx:
            return too_long(len(ids), self._n_ctx)
        size = int(self._model.get_input_embeddings().weight.shape[0])
        if wrong := [i for i in ids if not 0 <= i < size]:
            return Failure(
                cause="error", reason=f"id {wrong[0]} is outside the vocabulary of {size}"
            )
        logits = self._model(torch.tensor([ids], device=self._device), use_cache=False).logits[0]
        return keep_logits(_numpy(logits), self._settings.arrays)

    def _tokenize(self, text: str, *, begin: bool, special: bool) -> list[int]:
        encoded = self._tokenizer(
            text, add_special_tokens=begin, split_special_tokens=not special, verbose=False
        )
        return [int(i) for i in encoded["input_ids"]]

    def _beginning(self) -> list[int]:
        """What an empty prompt starts from: BOS, else EOS, as a document boundary."""
        for token in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if token is not None:
                return [int(token)]
        raise Refused("the model has neither BOS nor EOS to start an empty prompt from")

    def _decode(self, ids: list[int], *, keep_special: bool) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=not keep_special, clean_up_tokenization_spaces=False
            )
        )

    def _render(self, messages: Any, add_generation_prompt: bool) -> str:
        tokens = {
            k: str(v) for k, v in self._tokenizer.special_tokens_map.items() if isinstance(v, str)
        }
        return render(
            self._template, messages, add_generation_prompt=add_generation_prompt, tokens=tokens
        )

    @cached_property
    def _template(self) -> str:
        template = self._tokenizer.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        return template or ""

    @cached_property
    def _stop_ids(self) -> frozenset[int]:
        configured = self._model.generation_config.eos_token_id
        listed = configured if isinstance(configured, list) else [configured]
        return frozenset(int(i) for i in (*listed, self._tokenizer.eos_token_id) if i is not None)


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
