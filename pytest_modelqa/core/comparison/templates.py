"""Chat templates of two models, rendered."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_modelqa.core.answer import Compared
from pytest_modelqa.core.request import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn. `tool_calls` is a JSON list as templates take it, or empty."""

    role: str
    content: str
    tool_calls: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What a template is given. `tools` is a JSON list of function definitions, or empty."""

    name: str
    turns: tuple[Turn, ...]
    tools: str = ""
    add_generation_prompt: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTemplates(Comparison):
    """Render each conversation on both sides, and tokenize what came out."""

    conversations: tuple[Conversation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One side's template: where it has none, the hash is empty."""

    engine: str
    sha256: str
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A rendered conversation, or the `problem` that kept it from being rendered.

    `text` is what the sandbox here makes of the model's template: what its engine is put.
    `library` is what the engine's own library makes of it, with `library_problem` where it does
    not; `ids` counts the tokens of `text`.
    """

    text: str
    problem: str
    library: str
    library_problem: str
    ids: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationCompared:
    """One conversation. `char` and `id_at` are the first that differ in text and in ids, else -1.

    `candidate_piece` and `reference_piece` are the tokens at `id_at`, empty at an end.
    """

    name: str
    add_generation_prompt: bool
    candidate: Prompt
    reference: Prompt
    char: int
    id_at: int
    candidate_piece: str
    reference_piece: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatesCompared(Compared):
    """Every conversation, in the order asked."""

    candidate: Template
    reference: Template
    conversations: tuple[ConversationCompared, ...]


REQUESTS: tuple[type[Comparison], ...] = (CompareTemplates,)
ANSWERS: tuple[type[Compared], ...] = (TemplatesCompared,)
