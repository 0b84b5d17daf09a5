"""How many answers are right, greedily and to the last token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

from training.ci_light.corpus import FAMILIES, Fact
from training.ci_light.rendering import FORMS, rendered
from training.ci_light.train import Encoded, encode, padded

_MOST = 200
"""Facts of one family, part and form that are asked: the first of them."""
_BATCH = 100


def report(model: Any, tokenizer: Tokenizer, facts: Sequence[Fact]) -> dict[str, Any]:
    """Per family, part (trained, held_out) and form: how many were asked, how many were right."""
    return {
        name: {
            part: {form: _asked(model, tokenizer, chosen, form) for form in FORMS}
            for part, held in (("trained", False), ("held_out", True))
            if (chosen := [f for f in facts if f.family == name and f.held_out is held][:_MOST])
        }
        for name in FAMILIES
    }


def _asked(model: Any, tokenizer: Tokenizer, facts: Sequence[Fact], form: str) -> dict[str, int]:
    encoded = encode(tokenizer, [rendered(f, form) for f in facts])
    right = sum(_right(model, encoded[i : i + _BATCH]) for i in range(0, len(encoded), _BATCH))
    return {"asked": len(facts), "right": right}


def _right(model: Any, batch: Sequence[Encoded]) -> int:
    """Greedy decoding writes the completion exactly where each of its tokens is the likeliest
    after the ones before: one pass tells, without generating.
    """
    import torch  # noqa: PLC0415 - only in the building process

    ids, places, targets = padded(batch)
    with torch.inference_mode():
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        best = model.lm_head(hidden.flatten(0, 1).index_select(0, places)).argmax(-1)
    hits = (best == targets).tolist()
    right, start = 0, 0
    for e in batch:
        end = start + len(e.ids) - e.asked
        right += all(hits[start:end])
        start = end
    return right
