"""One prompt for both sides: ids that the reference's tokenizer makes."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.request import Message
from pytest_modelqa.engines.answering import Model
from pytest_modelqa.engines.pair.base import Pair
from pytest_modelqa.engines.template import render


def ids_of(model: Model, text: str, *, chat: bool) -> list[int]:
    """A text's ids as a raw prompt, or with `chat` as a user's turn. Raises Refused (template)."""
    if not chat:
        return model.tokenize(text, begin=True, special=True)
    rendered = render(
        model.template,
        (Message(role="user", content=text),),
        add_generation_prompt=True,
        tokens=dict(model.token_texts),
    )
    return model.tokenize(rendered, begin=False, special=True)


def too_long(pair: Pair, positions: int) -> Failure | None:
    """What does not fit either context was not compared: never cut silently."""
    holds = min(pair.reference.n_ctx, pair.candidate.n_ctx)
    if positions <= holds:
        return None
    return Failure(
        cause="unavailable",
        reason=f"{positions} tokens are to be compared, and the context holds {holds}",
        remedy="raise limits.n_ctx in the playbook where both models allow it, or ask for less",
    )


def unknown_ids(pair: Pair, ids: Sequence[int]) -> tuple[int, ...]:
    """Ids that one of the two has no row for, each once."""
    rows = min(pair.reference.n_ids, pair.candidate.n_ids)
    return tuple(sorted({i for i in ids if not 0 <= i < rows}))
