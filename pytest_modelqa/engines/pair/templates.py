"""Chat templates of two models, rendered.

Each side is rendered twice: in the sandbox here, which is what its engine is put, and by its own
library. For transformers the two must be the same. llama.cpp's own renderer is no template engine:
it recognises well-known templates by what they contain, so it says how programs that use it would
differ, not what the engine here does.
"""

from __future__ import annotations

import hashlib

from pytest_modelqa.core.comparison.templates import (
    CompareTemplates,
    Conversation,
    ConversationCompared,
    Prompt,
    Template,
    TemplatesCompared,
)
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.engines.answering import Model
from pytest_modelqa.engines.pair.base import Comparers, Pair
from pytest_modelqa.engines.pair.tokens import first_difference, piece_of, readable
from pytest_modelqa.engines.template import render


def compare_templates(pair: Pair, request: CompareTemplates) -> TemplatesCompared:
    """Render and tokenize every conversation on both sides."""
    return TemplatesCompared(
        candidate=_template(pair.candidate),
        reference=_template(pair.reference),
        conversations=tuple(_compared(pair, c) for c in request.conversations),
    )


def _compared(pair: Pair, conversation: Conversation) -> ConversationCompared:
    ours, our_ids = _prompt(pair.candidate, conversation)
    theirs, their_ids = _prompt(pair.reference, conversation)
    id_at = first_difference(our_ids, their_ids) if our_ids != their_ids else -1
    return ConversationCompared(
        name=conversation.name,
        add_generation_prompt=conversation.add_generation_prompt,
        candidate=ours,
        reference=theirs,
        char=_first_char(ours.text, theirs.text),
        id_at=id_at,
        candidate_piece=_piece(pair.candidate, our_ids, id_at),
        reference_piece=_piece(pair.reference, their_ids, id_at),
    )


def _prompt(model: Model, conversation: Conversation) -> tuple[Prompt, list[int]]:
    text, problem, library, library_problem = "", "", "", ""
    try:
        text = render(
            model.template,
            conversation.turns,
            add_generation_prompt=conversation.add_generation_prompt,
            tokens=dict(model.token_texts),
            tools=conversation.tools,
        )
    except Refused as error:
        problem = error.what
    try:
        library = model.rendered_by_library(conversation)
    except Refused as error:
        library_problem = error.what
    ids = model.tokenize(text, begin=False, special=True) if text else []
    prompt = Prompt(
        text=text,
        problem=problem,
        library=library,
        library_problem=library_problem,
        ids=len(ids),
    )
    return prompt, ids


def _template(model: Model) -> Template:
    text = model.template
    return Template(
        engine=model.describe().engine,
        sha256=hashlib.sha256(text.encode()).hexdigest() if text else "",
        characters=len(text),
    )


def _first_char(ours: str, theirs: str) -> int:
    if ours == theirs:
        return -1
    same = (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
    return next(same, min(len(ours), len(theirs)))


def _piece(model: Model, ids: list[int], at: int) -> str:
    return readable(piece_of(model.entries, ids[at])) if 0 <= at < len(ids) else ""


COMPARERS: Comparers = {CompareTemplates: compare_templates}
