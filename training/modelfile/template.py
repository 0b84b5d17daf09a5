"""A GGUF's chat template, which is Jinja, as a template of Ollama, which is Go's.

Not translated: measured. The Jinja template is rendered on conversations of marks; what stands
around each mark is what Ollama must write around it. The result is believed only if it gives the
same text as the Jinja template on a longer conversation; templates whose turns depend on one
another have no such form, and get none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.request import Message
from pytest_modelqa.engines.template import render

Around = tuple[str, str]
"""What a template writes before and after a text."""
_MARKS = ("SYSTEM-TEXT-1", "USER-TEXT-1", "ASSISTANT-TEXT-1", "USER-TEXT-2", "ASSISTANT-TEXT-2")
_ROLES = ("system", "user", "assistant", "user", "assistant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """How each role's text is framed, what opens the answer, and the system text by default."""

    user: Around
    assistant: Around
    opening: str
    system: Around | None = None
    default_system: str = ""

    def text(self, messages: Sequence[Message]) -> str:
        """A conversation that ends with a question, ready for its answer."""
        frames = {"system": self.system, "user": self.user, "assistant": self.assistant}
        made = ""
        for message in messages:
            before, after = frames[message.role] or ("", "")
            made += f"{before}{message.content}{after}"
        return made + self.opening

    def go(self) -> str:
        """The template in Go's language, over `.Messages`."""
        roles: dict[str, Around | None] = {"system": self.system, "user": self.user}
        roles["assistant"] = self.assistant
        made = "{{ range .Messages }}"
        word = "if"
        for role, frame in roles.items():
            if frame is not None:
                made += f'{{{{ {word} eq .Role "{role}" }}}}{frame[0]}{{{{ .Content }}}}{frame[1]}'
                word = "else if"
        return f"{made}{{{{ end }}}}{{{{ end }}}}{self.opening}"


def turns_of(metadata: Mapping[str, Any]) -> Turns | None:
    """The frames of a GGUF's chat template; None where it has none, or where frames do not do.

    The begin-of-text token is left out where the file says that the engine adds it.
    """
    template = metadata.get("tokenizer.chat_template")
    if not isinstance(template, str) or not template:
        return None
    tokens = special_tokens(metadata)
    adds = metadata.get("tokenizer.ggml.add_bos_token", _begins_by_default(metadata))
    begin = tokens.get("bos_token", "") if adds else ""

    def shown(messages: Sequence[Message], *, opened: bool = False) -> str:
        text = render(template, messages, add_generation_prompt=opened, tokens=tokens)
        return text.removeprefix(begin)

    try:
        found = _measured(shown)
    except (Refused, ValueError):
        return None
    return found if found and "{{" not in found.text(_conversation(0)) else None


def _begins_by_default(metadata: Mapping[str, Any]) -> bool:
    """llama.cpp adds the begin of text for SentencePiece models unless the file says otherwise."""
    return metadata.get("tokenizer.ggml.model") == "llama"


def special_tokens(metadata: Mapping[str, Any]) -> dict[str, str]:
    """`bos_token` and the like as texts, for the template."""
    tokens = metadata.get("tokenizer.ggml.tokens", ())
    made = {}
    for name in ("bos", "eos"):
        at = metadata.get(f"tokenizer.ggml.{name}_token_id")
        if isinstance(at, int) and 0 <= at < len(tokens):
            made[f"{name}_token"] = str(tokens[at])
    return made


def _conversation(first: int, last: int = len(_MARKS)) -> list[Message]:
    pairs = zip(_ROLES[first:last], _MARKS[first:last], strict=True)
    return [Message(role=role, content=text) for role, text in pairs]


def _measured(shown: Any) -> Turns | None:
    """Frames from differences of renderings. ValueError where a mark is not found."""
    first = 0 if _takes_system(shown) else 1
    texts = [shown(_conversation(first, last)) for last in range(first + 1, len(_MARKS) + 1)]
    question = shown(_conversation(first, 2), opened=True)
    answered, asked_again, whole = texts[-3:]
    asked = shown(_conversation(first, 2))
    user = _around(_added(answered, asked_again), _MARKS[3])
    turns = Turns(
        user=user,
        assistant=_around(_added(asked_again, whole), _MARKS[4]),
        opening=_added(asked, question),
        system=_system(asked, user) if first == 0 else None,
    )
    turns = _with_default(turns, shown([_conversation(1, 2)[0]], opened=True))
    again = _conversation(first, 4)
    return turns if turns.text(again) == shown(again, opened=True) else None


def _takes_system(shown: Any) -> bool:
    try:
        return _MARKS[0] in shown(_conversation(0, 2))
    except Refused:
        return False


def _system(asked: str, user: Around) -> Around:
    """The system's frame is what is left when the question's is taken away."""
    rest = asked.removesuffix(f"{user[0]}{_MARKS[1]}{user[1]}")
    if rest == asked:
        raise ValueError(asked)
    return _around(rest, _MARKS[0])


def _with_default(turns: Turns, alone: str) -> Turns:
    """The system text that the template adds where there is none, if it adds one."""
    rest = alone.removesuffix(turns.text([Message(role="user", content=_MARKS[1])]))
    if rest == alone:
        raise ValueError(alone)
    if not rest:
        return turns
    if turns.system is None:
        raise ValueError(rest)
    before, after = turns.system
    if not (rest.startswith(before) and rest.endswith(after)):
        raise ValueError(rest)
    default = rest[len(before) : len(rest) - len(after)]
    return Turns(
        user=turns.user,
        assistant=turns.assistant,
        opening=turns.opening,
        system=turns.system,
        default_system=default,
    )


def _added(shorter: str, longer: str) -> str:
    if not longer.startswith(shorter):
        raise ValueError(longer)
    return longer[len(shorter) :]


def _around(text: str, mark: str) -> Around:
    before, found, after = text.partition(mark)
    if not found:
        raise ValueError(text)
    return before, after
