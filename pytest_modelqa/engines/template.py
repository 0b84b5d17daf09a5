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

from pytest_modelqa.artifacts.templates import MAX_RENDERED_CHARS, environment
from pytest_modelqa.core.comparison.templates import Turn
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.request import Message

_MOST_OF_ERROR = 500
"""Characters: what a template raises is as long as its author likes."""


def render(
    template: str,
    messages: Sequence[Message | Turn],
    *,
    add_generation_prompt: bool,
    tokens: dict[str, str],
    tools: str = "",
) -> str:
    """Render a conversation. `tokens` maps bos_token and the like to their texts.

    `tools` is a JSON list of function definitions; as in transformers, a template without any
    sees `tools` and `documents` as none, not as undefined.

    Raises Refused where the model has no template, or where the template fails or floods.
    """
    if not template:
        raise Refused(
            "the model has no chat template",
            remedy="use modality run, or convert the model again with its template",
        )
    turns = [as_message(m) for m in messages]
    made = environment()
    made.globals["strftime_now"] = _strftime_now
    try:
        stream = made.from_string(template).generate(
            messages=turns,
            tools=json.loads(tools) if tools else None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **tokens,
        )
        return _bounded(stream)
    except Refused:
        raise
    except Exception as error:  # a template may raise anything: it is its author's program
        what = f"the chat template fails: {type(error).__name__}: {str(error)[:_MOST_OF_ERROR]}"
        raise Refused(what) from error


def as_message(turn: Message | Turn) -> dict[str, Any]:
    """A turn as templates take it."""
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if isinstance(turn, Turn) and turn.tool_calls:
        message["tool_calls"] = json.loads(turn.tool_calls)
    return message


def _bounded(stream: Any) -> str:
    parts: list[str] = []
    total = 0
    for part in stream:
        total += len(part)
        if total > MAX_RENDERED_CHARS:
            raise Refused(f"the chat template writes more than {MAX_RENDERED_CHARS:,} characters")
        parts.append(part)
    return "".join(parts)


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)
