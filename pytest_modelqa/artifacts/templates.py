"""Chat templates: whether one parses, ends, and mentions only special tokens that exist.

A template is a program of the model's author. It runs in jinja2's sandbox, as transformers runs it,
and in a process of its own whose time and memory are limited: a loop in it ends there.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pytest_modelqa.artifacts.facts import Facts

MAX_TEMPLATE_CHARS = 1_000_000
MAX_RENDERED_CHARS = 1_000_000
TIME_S = 5
"""Seconds of CPU, which a busy machine does not shorten."""
_WAIT_S = 60.0
_MEMORY_BYTES = 1 << 30
_SPECIAL = re.compile(r"<\|[^|<>\s'\"{}]{1,60}\|>")
_CHAT_MARKS = ("<|im_start|>", "<|start_header_id|>", "<start_of_turn>", "<|user|>")
"""Tokens that only a chat model's vocabulary has."""
_CONVERSATIONS: tuple[list[dict[str, str]], ...] = (
    [{"role": "user", "content": "hello"}],
    [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}],
)
"""A template may refuse system texts; one that renders neither of these is of no use."""


class Rendering(NamedTuple):
    """What came out: `problem` is empty, "syntax", "render", "size" or "time"."""

    problem: str
    detail: str
    text: str


def lint_template(
    facts: Facts, where: str, template: object, vocabulary: Collection[str], tokens: dict[str, str]
) -> None:
    """Compare a chat template with its vocabulary. `tokens`: bos_token and the like, as texts."""
    chats = any(mark in vocabulary for mark in _CHAT_MARKS)
    message = "a chat model's vocabulary, and no chat template: only raw prompts can be asked"
    facts.holds(bool(template) or not chats, "CHAT-MISSING", where, message, "warning")
    if not template:
        return
    if not isinstance(template, str) or len(template) > MAX_TEMPLATE_CHARS:
        facts.holds(False, "CHAT-SYNTAX", where, "is no text of up to a million characters")
        return
    seen = render(template, json.dumps(tokens, sort_keys=True))
    code = {"syntax": "CHAT-SYNTAX", "render": "CHAT-RENDER"}.get(seen.problem, "CHAT-ENDLESS")
    facts.holds(not seen.problem, code, where, seen.detail)
    known = set(vocabulary)
    missing = sorted(set(_SPECIAL.findall(template)) - known) if known else []
    message = f"mentions {', '.join(missing[:5])}, which the vocabulary lacks"
    facts.holds(not missing, "CHAT-TOKEN", where, message, "warning")


@lru_cache(maxsize=32)
def render(template: str, tokens: str) -> Rendering:
    """Render small conversations in a limited process; `tokens` is a JSON object of texts."""
    asked = json.dumps({"template": template, "tokens": tokens})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest_modelqa.artifacts.templates"],
            input=asked, capture_output=True, text=True, timeout=_WAIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Rendering("time", f"does not end within {_WAIT_S:.0f} s", "")
    try:
        return Rendering(*json.loads(done.stdout))
    except (ValueError, TypeError):
        return Rendering("size", f"takes more than {TIME_S} s or 1 GiB of memory", "")


def environment() -> ImmutableSandboxedEnvironment:
    """What templates are written for, as transformers documents it."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    made.filters["tojson"] = _tojson
    made.globals["raise_exception"] = _raise
    made.globals["strftime_now"] = lambda form: form
    return made


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> None:
    raise TemplateError(message)


def attempt(template: str, tokens: dict[str, str]) -> Rendering:
    """Render small conversations in this process; time and memory are the caller's to limit."""
    try:
        compiled = environment().from_string(template)
    except Exception as error:  # noqa: BLE001 - jinja2 lets through what Python's compiler raises
        return Rendering("syntax", f"does not parse: {str(error)[:200]}", "")
    last = Rendering("render", "renders nothing", "")
    for messages in _CONVERSATIONS:
        try:
            text = _bounded(
                compiled.generate(messages=messages, add_generation_prompt=True, **tokens)
            )
        except Exception as error:  # noqa: BLE001 - a template may raise anything
            last = Rendering("render", f"fails: {type(error).__name__}: {str(error)[:200]}", "")
            continue
        if text is None:
            return Rendering("size", f"writes more than {MAX_RENDERED_CHARS:,} characters", "")
        if text:
            return Rendering("", "", text)
    return last


def _bounded(stream: Any) -> str | None:
    parts: list[str] = []
    total = 0
    for part in stream:
        total += len(part)
        if total > MAX_RENDERED_CHARS:
            return None
        parts.append(part)
    return "".join(parts)


def main() -> None:
    """Answer one question from stdin; the limits end what the sandbox does not."""
    resource.setrlimit(resource.RLIMIT_CPU, (TIME_S, TIME_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    asked = json.loads(sys.stdin.read())
    json.dump(attempt(asked["template"], json.loads(asked["tokens"])), sys.stdout)


if __name__ == "__main__":
    main()
