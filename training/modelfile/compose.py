"""A Modelfile for a GGUF file: its own template, its own stop tokens, the seed's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.core.errors import Refused
from training.modelfile.syntax import Modelfile, Parameters
from training.modelfile.template import turns_of

DEFAULTS: Parameters = (("temperature", 0.7), ("top_p", 0.9), ("top_k", 40), ("num_ctx", 4096))
"""The seed's."""
ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "</s>")
"""Tokens that end a turn or a text, where a vocabulary has them as control tokens."""
_ENDING = ("eos", "eot", "eom")
_CONTROL = (3, 4)
"""GGUF's token types "control" and "user defined": never parts of ordinary words."""


def compose(
    path: Path,
    *,
    source: str,
    system: str = "",
    license_text: str = "",
    parameters: Parameters = (),
) -> Modelfile:
    """Make a Modelfile. `parameters` replace the defaults of the same name; `source` goes to FROM.

    Without `system` it is what the chat template says by itself. `num_ctx` is never more than the
    model's context, unless it is asked for. Raises Refused where the file is no sound GGUF.
    """
    metadata = metadata_of(path)
    turns = turns_of(metadata)
    given = {name for name, _ in parameters}
    usual = tuple((n, _bounded(n, v, metadata)) for n, v in DEFAULTS if n not in given)
    stops = () if "stop" in given else tuple(("stop", text) for text in stops_of(metadata))
    return Modelfile(
        source=source,
        template=turns.go() if turns else "",
        system=system or (turns.default_system if turns else ""),
        parameters=(*usual, *parameters, *stops),
        licenses=tuple(filter(None, (license_text or str(metadata.get("general.license", "")),))),
    )


def metadata_of(path: Path) -> Mapping[str, Any]:
    """The metadata of a GGUF file. Raises Refused where its header is not sound."""
    try:
        header = gguf.read(path)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}", where=str(path)) from None
    if header.findings:
        first = header.findings[0]
        raise Refused(
            f"{first.code} {first.where}: {first.message}",
            where=str(path),
            remedy=f"modelqa inspect {path}",
        )
    return header.metadata


def context_of(metadata: Mapping[str, Any]) -> int:
    """The context that the model was made for, in tokens; 0 where the file does not say."""
    found = metadata.get(f"{metadata.get('general.architecture')}.context_length", 0)
    return found if isinstance(found, int) else 0


def stops_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """What ends a turn or a text: tokens that the file names, and well-known ones that it has."""
    tokens = metadata.get("tokenizer.ggml.tokens", ())
    types = metadata.get("tokenizer.ggml.token_type", ())
    named = (metadata.get(f"tokenizer.ggml.{end}_token_id") for end in _ENDING)
    found = [str(tokens[at]) for at in named if isinstance(at, int) and 0 <= at < len(tokens)]
    known = {str(t) for t, kind in zip(tokens, types, strict=False) if kind in _CONTROL}
    found += [end for end in ENDS if end in known]
    return tuple(dict.fromkeys(found))


def _bounded(name: str, value: Any, metadata: Mapping[str, Any]) -> Any:
    context = context_of(metadata)
    return min(value, context) if name == "num_ctx" and context else value
