"""Chat templates, rendered the same way for every engine: sandboxed, bounded.

The environment is the one that the templates are written for (as transformers documents it):
blocks trimmed, `raise_exception`, `strftime_now`, `tojson`, loop controls. Attribute access to
internals is refused by jinja2's immutable sandbox; the output is bounded here, the time by the
deadline of the worker.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.request import Message

MAX_RENDERED_CHARS = 1_000_000


def render(
    template: str,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool,
    tokens: dict[str, str],
) -> str:
    """Render a conversation. `tokens` maps bos_token and the like to their texts.

    Raises Refused where the model has no template, or where the template fails or floods.
    """
    if not template:
        raise Refused(
            "the model has no chat template",
            remedy="use modality run, or convert the model again with its template",
        )
    turns = [{"role": m.role, "content": m.content} for m in messages]
    try:
        stream = (
            _environment()
            .from_string(template)
            .generate(messages=turns, add_generation_prompt=add_generation_prompt, **tokens)
        )
        return _bounded(stream)
    except (TemplateError, TypeError, ValueError, OverflowError) as error:
        raise Refused(f"the chat template fails: {type(error).__name__}: {error}") from error


def _bounded(stream: Any) -> str:
    parts: list[str] = []
    total = 0
    for part in stream:
        total += len(part)
        if total > MAX_RENDERED_CHARS:
            raise Refused(f"the chat template writes more than {MAX_RENDERED_CHARS:,} characters")
        parts.append(part)
    return "".join(parts)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> None:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)
