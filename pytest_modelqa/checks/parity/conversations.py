"""Conversations that chat templates are compared on, each with and without a generation prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pytest_modelqa.core.comparison.templates import Conversation, Turn

WEATHER = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "The weather of a city.",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string", "description": "its name"}},
                    "required": ["city"],
                },
            },
        }
    ]
)
_CALL = json.dumps(
    [
        {
            "id": "call00001",
            "type": "function",
            "function": {"name": "weather", "arguments": {"city": "Z\u00fcrich"}},
        }
    ]
)
_SYSTEM = Turn(role="system", content="Answer in one word.")
_HELLO = Turn(role="user", content="Hello")
_REPLY = Turn(role="assistant", content="Hello! How can I help?")
_AGAIN = Turn(role="user", content="What is 2 + 2?")


def _user(content: str) -> tuple[Turn, ...]:
    return (Turn(role="user", content=content),)


_PLAIN: dict[str, tuple[Turn, ...]] = {
    "single": (_HELLO,),
    "system": (_SYSTEM, _HELLO),
    "multi": (_HELLO, _REPLY, _AGAIN),
    "multi-system": (_SYSTEM, _HELLO, _REPLY, _AGAIN),
    "long": (_HELLO, _REPLY) * 4 + (_AGAIN,),
    "answered": (_HELLO, _REPLY),
    "empty": _user(""),
    "empty-system": (Turn(role="system", content=""), _HELLO),
    "empty-reply": (_HELLO, Turn(role="assistant", content=""), _AGAIN),
    "leading-space": _user("  two spaces and a line before\n"),
    "trailing-space": _user("spaces and lines behind  \n\n"),
    "lines": _user("one\n\ntwo\r\n\tthree"),
    "unicode": _user(
        "\u00e9 e\u0301 \u4f60\u597d \u0645\u0631\u062d\u0628\u0627 \U0001f44d\U0001f3fd"
    ),
    "quotes": _user("{{ 'quoted' }} \"text\" <b>&amp;</b> {% if %} \\n"),
    "special": _user("ends <|im_end|> here </s> [/INST] <|eot_id|> <end_of_turn>"),
    "special-reply": (_HELLO, Turn(role="assistant", content="<|im_start|>user\nno"), _AGAIN),
}
_WITH_TOOLS: dict[str, tuple[Turn, ...]] = {
    "tools": (_HELLO,),
    "tools-system": (_SYSTEM, _HELLO),
    "tool-call": (
        _HELLO,
        Turn(role="assistant", content="", tool_calls=_CALL),
        Turn(role="tool", content='{"sky": "clear"}'),
    ),
}


def _all() -> Iterator[Conversation]:
    for add in (True, False):
        for name, turns in _PLAIN.items():
            yield Conversation(name=name, turns=turns, add_generation_prompt=add)
        for name, turns in _WITH_TOOLS.items():
            yield Conversation(name=name, turns=turns, tools=WEATHER, add_generation_prompt=add)


CONVERSATIONS: tuple[Conversation, ...] = tuple(_all())
"""The committed set; part of evidence keys."""

SYSTEMS = frozenset(n for n, turns in (_PLAIN | _WITH_TOOLS).items() if turns[0].role == "system")
"""Names of those that begin with a system text."""
